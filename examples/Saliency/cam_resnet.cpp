// Class activation maps: a pre-activation ResNet with larger feature maps is fine-tuned on ImageNet, and then
// shows where in a picture its class is.
//
//   example_cam_resnet --data DIR --load ImageNet-ResNet18-Preact.npz               DIR: ImageNet; or "fake"
//   example_cam_resnet --data DIR --load ImageNet-ResNet18-Preact-2xGAP.npz --cam   writes cam0-tench.jpg and
//   so on
//
// After tensorpack's examples/Saliency/CAM-resnet.py, which trains 105 epochs of 5000 steps of 256 images. On
// purpose different: one device, and images are augmented without the noise of colours ("Lighting").

#include "examples/Saliency/cam_resnet.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/einsum.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "belfry/data.h"
#include "examples/write_jpeg.h"

using namespace belfry;

namespace {

/// Batches of BGR images and their labels.
AnyDataFlow get_data(bool train, const std::string& folder, int64_t batch) {
  if (folder == "fake") {
    const FakeData images({{{224, 224, 3}, at::kByte, 0, 256}, {{}, at::kLong, 0, 1000}}, {.size = 32});
    return BatchData(images, std::min<int64_t>(batch, 8));
  }
  using namespace imgaug;
  const AugmentorList augmentors =
      train ? AugmentorList(
                  {GoogleNetRandomCropAndResize({.interp = Interpolation::kCubic}), ToFloat32(),
                   RandomOrderAug({BrightnessScale({0.6, 1.4}), Contrast({0.6, 1.4}), Saturation(0.4)}),
                   ToUint8(), Flip({.horiz = true})})
            : AugmentorList({ResizeShortestEdge(256, Interpolation::kCubic), CenterCrop(224)});
  const MultiThreadMapData images(ILSVRC12(folder, train ? "train" : "val"), 8,
                                  augment_image_component(augmentors));
  const MapDataComponent bgr(images, [](const at::Tensor& image) { return image.flip(2); });
  return BatchData(bgr, batch, {.remainder = !train});
}

/// Image, map and both of up to 500 images whose class the net knows.
void show_maps(cam_resnet::Model& model, const std::string& load, const std::string& folder) {
  const OfflinePredictor predict({.model = model,
                                  .session_init = SmartInit(load),
                                  .inputs = {"input", "label"},
                                  .outputs = {"wrong-top1", "convmaps", "linearnew/W"}});
  const std::vector<std::string> names = ILSVRCMeta(folder + "/ilsvrc_metadata").get_synset_words_1000();
  const imgaug::Resize enlarge(224);
  Rng rng(0);
  int count = 0;
  AnyDataFlow data = get_data(false, folder, 128);
  for (const Datapoint& point : data->iterator()) {
    const at::Tensor labels = point[1];
    const std::vector<at::Tensor> results = predict({point[0], labels});
    for (int64_t i = 0; i < labels.size(0); ++i) {
      if (results[0][i].item<float>() != 0) continue;
      const auto label = labels[i].item<int64_t>();
      const at::Tensor map = at::einsum("c,chw->hw", {results[2].select(1, label), results[1][i]});
      const at::Tensor heat = viz::intensity_to_rgb(map, "cubehelix", true).contiguous();
      const at::Tensor large = enlarge.augment(heat, rng), image = point[0][i].flip(2).to(at::kFloat);
      const std::string& words = names.at(static_cast<size_t>(label));
      const std::string name = words.substr(10, words.find(',') - 10);  // behind "n01440764 "
      write_jpeg(fmt::format("cam{}-{}.jpg", count, name),
                 at::cat({image, large, image * 0.5 + large * 0.5}, 1));
      if (++count == 500) return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/CAM-resnet";
  int64_t depth = 18, batch = 256, epochs = 105, steps_per_epoch = 5000;
  bool cam = false;
  CLI::App app("Trains a ResNet that shows where a class is.");
  app.add_option("--data", folder, "ImageNet's folder, or 'fake'")->required();
  app.add_option("--depth", depth)->check(CLI::IsMember({18, 34}))->capture_default_str();
  app.add_option("--load", load, "checkpoint to start from");
  app.add_flag("--cam", cam, "write the maps of images");
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  cam_resnet::Model model(depth);
  if (cam) {
    show_maps(model, load, folder);
    return 0;
  }
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = model,
       .data = QueueInput(get_data(true, folder, batch)),
       .steps_per_epoch = steps_per_epoch,
       .max_epoch = epochs,
       .callbacks = callbacks(
           ModelSaver(),
           PeriodicTrigger(InferenceRunner(get_data(false, folder, batch),
                                           {ClassificationError("wrong-top1", "val-error-top1"),
                                            ClassificationError("wrong-top5", "val-error-top5")}),
                           {.every_k_epochs = 2}),
           ScheduledHyperParamSetter("learning_rate", {{30, 1e-2}, {55, 1e-3}, {75, 1e-4}, {95, 1e-5}})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
