// Inception with BatchNorm on ImageNet, after tensorpack's examples/ImageNetModels/inception-bn.py.
//
//   torchrun --nproc-per-node 6 --no-python example_inception_bn --data DIR --gpu
//
// DIR is that of ILSVRC12, with its "ilsvrc_metadata"; "fake" trains on random numbers. tensorpack reports 27
// % top-1 error (of the middle crop) after 300k steps of 6 times 64 images.
//
// Other than there: one process for each GPU, as many as there are.

#include "examples/ImageNetModels/inception_bn.h"

#include <CLI/CLI.hpp>

#include "examples/ImageNetModels/imagenet_utils.h"

using namespace belfry;

namespace {

AnyDataFlow get_data(const std::string& folder, const std::string& name, int64_t batch) {
  AnyDataFlow images = get_imagenet_dataflow(folder, name, batch, fbresnet_augmentor(name == "train"));
  at::Tensor mean = at::full({224, 224, 3}, 128.f);
  if (folder != "fake") {
    const ILSVRCMeta meta(folder + "/ilsvrc_metadata");
    mean = meta.get_per_pixel_mean().narrow(0, 16, 224).narrow(1, 16, 224).flip({2});  // BGR, as the images
  }
  return MapDataComponent(images, [mean](const at::Tensor& batch) { return batch.to(at::kFloat) - mean; });
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/inception_bn";
  int64_t batch = 64, epochs = 80, steps_per_epoch = 5000;
  bool gpu = false;
  CLI::App app("Trains Inception with BatchNorm on ImageNet.");
  app.add_option("--data", folder, "ILSVRC12's folder, or \"fake\"")->required();
  app.add_option("--load", load, "weights to begin with");
  app.add_option("--batch", batch, "of each process; 384 in total give the result")->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  const TrainingEnd end = launch_train_with_config(
      {
          .model = InceptionBN(),
          .dataflow = get_data(folder, "train", batch),
          .steps_per_epoch = steps_per_epoch,
          .max_epoch = epochs,
          .callbacks = callbacks(
              ModelSaver(),
              InferenceRunner(get_data(folder, "val", batch),
                              {ClassificationError("wrong-top1", "val-top1-error"),
                               ClassificationError("wrong-top5", "val-top5-error")}),
              ScheduledHyperParamSetter(
                  "learning_rate",
                  {{8, 0.03}, {14, 0.02}, {17, 5e-3}, {19, 3e-3}, {24, 1e-3}, {26, 2e-4}, {30, 5e-5}})),
          .session_init = SmartInit(load),
          .log_dir = log_dir,
      },
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
