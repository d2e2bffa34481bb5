// "EnhanceNet: Single Image Super-Resolution Through Automated Texture Synthesis" (arxiv.org/abs/1612.07919),
// after tensorpack's examples/SuperResolution/enet-pat.py: pictures four times as large.
//
//   example_enet_pat --vgg19 vgg19.npz --data train2017.zip      trains on COCO's images, or
//   example_enet_pat --vgg19 vgg19.npz --data train2017.lmdb     on those that data_sampler has prepared
//   example_enet_pat --data fake                                 random images and VGG19, to see it run
//   example_enet_pat --apply --load MODEL --lowres input.png     writes prediction.png and baseline.png
//
// vgg19.npz is Caffe's model as tensorpack converts it. tensorpack trains 300 epochs, reports no number and
// says that training "is highly unstable and does not often give good results". Ctrl-C (or SIGTERM, or
// SIGUSR1) saves and ends with exit status 0; an error is exit status 1.
//
// Other than there: images of a database are BGR as those of a zip file and of --apply, and one device
// trains.

#include "examples/SuperResolution/enet_pat.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <span>

#include "belfry/formats/png.h"
#include "examples/SuperResolution/data_sampler.h"

using namespace enet_pat;

namespace {

/// A BGR image [H, W, 3] of pixels in [0, 255].
void write_png(const std::string& path, const at::Tensor& image) {
  const at::Tensor rgb = image.flip(2).round().clamp(0, 255).to(at::kByte).contiguous();
  std::ofstream file(path, std::ios::binary);
  file << encode_png(std::span(rgb.data_ptr<uint8_t>(), static_cast<size_t>(rgb.numel())),
                     static_cast<int>(rgb.size(0)), static_cast<int>(rgb.size(1)), 3);
  if (!file.flush()) throw DataError(path, "expected a file that can be written");
}

void apply(const std::string& model_path, const std::string& lowres_path, const std::string& output_path) {
  if (lowres_path.empty())
    throw UsageError("[enet_pat] expected --lowres, the picture to apply the model to");
  if (!std::filesystem::is_directory(output_path))
    throw UsageError(fmt::format("[enet_pat] expected a folder for --output, got '{}'", output_path));
  const at::Tensor lr = image_decode(read_file_bytes(lowres_path), imgaug::PixelOrder::kBgr).to(at::kFloat);
  const int64_t h = lr.size(0), w = lr.size(1);
  const imgaug::ResizeTransform enlarge(h, w, 4 * h, 4 * w, imgaug::Interpolation::kCubic);
  const OfflinePredictor predict_func({.model = Model(h, w, false),
                                       .session_init = SmartInit(model_path),
                                       .inputs = {"Ilr"},
                                       .outputs = {"prediction"}});
  write_png(output_path + "/prediction.png", predict_func(lr.unsqueeze(0))[0][0]);
  write_png(output_path + "/baseline.png", enlarge.apply_image(lr));
}

/// Batches of images of 32 x 32 and of 128 x 128.
AnyDataFlow get_data(const std::string& file_name) {
  if (file_name == "fake") {
    auto pixels = [](int64_t side) { return FakeComponent{.shape = {2, side, side, 3}, .high = 256}; };
    return FakeData({pixels(kShapeLR), pixels(4 * kShapeLR)}, {.size = 100, .random = false});
  }
  const bool is_zip = file_name.ends_with(".zip");
  if (!is_zip && !file_name.ends_with(".lmdb"))
    throw UsageError(fmt::format("[enet_pat] expected a .zip or .lmdb file as --data, got '{}'", file_name));
  const AnyDataFlow ds = is_zip ? AnyDataFlow(ImageDataFromZIPFile(file_name, true))
                                : AnyDataFlow(LMDBSerializer::load(file_name));
  // Red and blue of the images in a database are exchanged.
  const auto order = is_zip ? imgaug::PixelOrder::kBgr : imgaug::PixelOrder::kRgb;
  const imgaug::AugmentorList augmentors({imgaug::RandomCrop(128), imgaug::Flip({.horiz = true})});
  const imgaug::ResizeTransform shrink(128, 128, 32, 32, imgaug::Interpolation::kCubic);
  auto sample = [=](const Datapoint& dp, Rng& rng) -> std::optional<Datapoint> {
    std::optional<at::Tensor> image = image_decode(dp[0], order);
    if (is_zip) {
      image = reject_too_small_images(*image);
      if (!image) return std::nullopt;
      image = center_square_resize(*image);
    }
    const at::Tensor part = augmentors.augment(*image, rng);
    return Datapoint{shrink.apply_image(part).to(at::kFloat), part.to(at::kFloat)};
  };
  return BatchData(MultiThreadMapData(ds, 3, sample), kBatchSize);
}

AnySessionInit first_weights(const std::string& load, const std::string& vgg19, bool random) {
  if (!load.empty() || (vgg19.empty() && random)) return SmartInit(load);
  if (!std::filesystem::is_regular_file(vgg19)) {
    throw UsageError(fmt::format(
        "[enet_pat] expected the weights of VGG19, vgg19.npz, as --vgg19, or a model to --load, got '{}'",
        vgg19));
  }
  return SaverRestore(vgg19, {.prefix = "VGG19"});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string load, data, vgg19, lowres, output = ".", log_dir = "train_log/enet-pat";
  int64_t epochs = 300, steps_per_epoch = 0;
  bool applies = false;
  CLI::App app("Makes pictures four times as large.");
  app.add_option("--load", load, "model to apply, or to begin with");
  app.add_flag("--apply", applies, "make a picture larger instead of training");
  app.add_option("--data", data, "COCO's zip file, an .lmdb that data_sampler wrote, or \"fake\"");
  app.add_option("--vgg19", vgg19, "weights of VGG19");
  app.add_option("--lowres", lowres, "low resolution image as input");
  app.add_option("--output", output, "folder for the pictures")->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch, "0: a quarter of the data")->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (applies) {
    apply(load, lowres, output);
    return 0;
  }
  const AnySessionInit session_init = first_weights(load, vgg19, data == "fake");
  const AnyDataFlow flow = get_data(data);
  if (steps_per_epoch == 0) steps_per_epoch = std::max<int64_t>(flow->size().value() / 4, 1);
  Model model;
  gan::SeparateGANTrainer trainer(QueueInput(flow), model, {.d_period = 3});
  StopOnSignal stop_on_signal(trainer);
  const TrainingEnd end =
      trainer.train_with_defaults({.callbacks = callbacks(ModelSaver({.keep_checkpoint_every_n_hours = 2})),
                                   .session_init = session_init,
                                   .loop = {.steps_per_epoch = steps_per_epoch, .max_epoch = epochs},
                                   .log_dir = log_dir});
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
