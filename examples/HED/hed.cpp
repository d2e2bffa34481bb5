// Holistically-nested edge detection (arxiv.org/abs/1504.06375) on the Berkeley segmentation data set, after
// tensorpack's examples/HED/hed.py.
//
//   example_hed --data DIR --load vgg16.npz        trains; DIR holds BSR, the folder in BSR_bsds500.tgz
//   example_hed --data fake                        random images, to see it run
//   example_hed --data DIR --view                  writes augmented images and edges into the folder "view"
//   example_hed --load MODEL --run a.jpg           writes out1.png to out5.png and out-fused.png
//
// vgg16.npz is Caffe's model as tensorpack converts it. tensorpack trains about 100000 steps of 8 images (10
// hours on a TitanX) "to reach a reasonable performance", and reports no number. Ctrl-C (or SIGTERM, or
// SIGUSR1) saves and ends with exit status 0; an error is exit status 1.

#include "examples/HED/hed.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <span>

#include "belfry/data.h"
#include "belfry/formats/png.h"
#include "examples/read_image.h"

using namespace belfry;

namespace {

/// A part whose sides are multiples of 16, at any place.
class CropMultiple16 : public imgaug::ImageAugmentor {
 public:
  imgaug::TransformPtr get_transform(const imgaug::ImageSpec& image, Rng& rng) const override {
    const int64_t newh = image.h / 16 * 16, neww = image.w / 16 * 16;
    if (newh == 0 || neww == 0) throw DataError("[CropMultiple16] expected an image of 16 x 16 or more");
    auto place = [&](int64_t diff) {
      return static_cast<int64_t>(rng.below(static_cast<uint64_t>(diff) + 1));
    };
    const int64_t h0 = place(image.h - newh), w0 = place(image.w - neww);
    return std::make_shared<imgaug::CropTransform>(h0, w0, newh, neww);
  }
};

/// Datapoints {BGR image float32 [H, W, 3], edges int32 [H, W]}, one by one.
AnyDataFlow get_images(const std::string& name, const std::string& folder) {
  using namespace imgaug;
  const AugmentorList shape_aug =
      name == "train" ? AugmentorList({RandomResize({.xrange = {0.7, 1.5}, .yrange = {0.7, 1.5}}),
                                       RotationAndCropValid(90), CropMultiple16(), Flip({.horiz = true}),
                                       Flip({.vert = true})})
                      : AugmentorList({CenterCrop({320, 480})});  // images have 321 x 481 pixels
  AnyDataFlow ds = AugmentImageComponents(BSDS500(name, folder, {.decode = true, .shuffle = name == "train"}),
                                          shape_aug, {0, 1}, {}, {}, {.seed = 1});
  if (name == "train")
    ds = AugmentImageComponent(ds, AugmentorList({Brightness(63, false), Contrast({0.4, 1.5})}), 0, {},
                               {.seed = 2});
  return MapData(ds, [](const Datapoint& dp) {
    return Datapoint{dp[0].flip(2).to(at::kFloat), (dp[1] >= 0.5).to(at::kInt)};
  });
}

AnyDataFlow get_data(const std::string& name, const std::string& folder) {
  if (folder == "fake") {
    const FakeComponent image{.shape = {64, 96, 3}, .high = 256};
    return BatchData(FakeData({image, {.shape = {64, 96}, .dtype = at::kInt, .high = 2}}, {.size = 4}), 2);
  }
  if (name != "train") return BatchData(get_images(name, folder), 1);
  // Most shapes are too rare for a batch of one pass.
  return PrefetchData(BatchDataByShape(RepeatedData(get_images(name, folder), -1), 8, 0), 2);
}

void view_data(const std::string& folder) {
  std::vector<Datapoint> pictures;
  for (const Datapoint& dp : get_images("train", folder)->iterator()) {
    const at::Tensor edges = (dp[1] * 255).unsqueeze(2).expand_as(dp[0]);
    pictures.push_back({viz::stack_patches({dp[0].flip(2), edges}, 1, 2)});
    if (pictures.size() == 20) break;
  }
  viz::dump_dataflow_images(DataFromList(pictures), "view", {.batched = false});
}

/// `heat` [H, W, 1] in [0, 1], as a gray picture.
void write_png(const std::string& path, const at::Tensor& heat) {
  const at::Tensor gray = (heat * 255).round().clamp(0, 255).to(at::kByte).contiguous();
  std::ofstream file(path, std::ios::binary);
  file << encode_png(std::span(gray.data_ptr<uint8_t>(), static_cast<size_t>(gray.numel())),
                     static_cast<int>(gray.size(0)), static_cast<int>(gray.size(1)), 1);
  if (!file.flush()) throw DataError(path, "expected a file that can be written");
}

void run(const std::string& model_path, const std::string& image_path, const std::string& output) {
  std::vector<std::string> output_names;
  for (int k = 1; k <= 6; ++k) output_names.push_back(fmt::format("output{}", k));
  const OfflinePredictor predictor({.model = hed::Model(),
                                    .session_init = SmartInit(model_path),
                                    .inputs = {"image"},
                                    .outputs = output_names});
  const at::Tensor im = read_image(image_path, imgaug::PixelOrder::kBgr);
  const int64_t h = im.size(0), w = im.size(1);
  if (h < 16 || w < 16) throw DataError(image_path, "expected a picture of 16 x 16 pixels or more");
  const at::Tensor resized = imgaug::ResizeTransform(h, w, h / 16 * 16, w / 16 * 16).apply_image(im);
  const std::vector<at::Tensor> outputs = predictor(resized.to(at::kFloat).unsqueeze(0));
  if (!output.empty()) {
    write_png(output, outputs[5][0]);
    return;
  }
  for (size_t k = 0; k < 6; ++k)
    write_png(fmt::format("out{}.png", k == 5 ? "-fused" : std::to_string(k + 1)), outputs[k][0]);
  log_info("Results saved to out*.png");
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, image, output, log_dir = "train_log/hed";
  int64_t epochs = 100, steps_per_epoch = 1000;
  bool view = false, gpu = false;
  CLI::App app("Finds edges in pictures.");
  app.add_option("--data", folder, "folder that holds BSR of BSDS500, or \"fake\"");
  app.add_option("--load", load, "model to load, or to begin with");
  app.add_flag("--view", view, "write images of the data set instead of training");
  app.add_option("--run", image, "find the edges in this picture instead of training");
  app.add_option("--output", output, "PNG file for the fused edges; default: all are written to out*.png");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!image.empty()) {
    run(load, image, output);
    return 0;
  }
  if (folder.empty()) throw UsageError("[hed] expected --data, or a picture to --run on");
  if (view) {
    view_data(folder);
    return 0;
  }
  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  StopOnSignal stop_on_signal(trainer);
  const TrainingEnd end = launch_train_with_config(
      {.model = hed::Model(),
       .dataflow = get_data("train", folder),
       .steps_per_epoch = steps_per_epoch,
       .max_epoch = epochs,
       .callbacks = callbacks(
           ModelSaver(), ScheduledHyperParamSetter("learning_rate", {{30, 6e-6}, {45, 1e-6}, {60, 8e-7}}),
           HumanHyperParamSetter("learning_rate"),
           InferenceRunner(get_data("val", folder), {BinaryClassificationStats("prediction", "edgemap4d")})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
