// VGG16 on ImageNet, with or without normalisation, after tensorpack's examples/ImageNetModels/vgg16.py.
//
//   torchrun --nproc-per-node 8 --no-python example_vgg16 --data DIR --norm gn --gpu
//
// DIR is that of ILSVRC12; "fake" trains on random numbers. tensorpack reports, with 8 processes of 32 images
// and 100 epochs, top-1 errors of 29 to 30 % without normalisation, 28 % with BatchNorm and 27.6 % with group
// normalisation, as the paper of the latter has them.
//
// Other than there: one process for each GPU; group normalisation is the operator of that name.

#include "examples/ImageNetModels/vgg16.h"

#include <CLI/CLI.hpp>

using namespace belfry;

int main(int argc, char** argv) try {
  std::string folder, log_dir, norm = "none";
  int64_t batch = 32, epochs = 100;
  bool gpu = false;
  CLI::App app("Trains VGG16 on ImageNet.");
  app.add_option("--data", folder, "ILSVRC12's folder, or \"fake\"")->required();
  app.add_option("--batch", batch, "of each process; the recipe is for 256 and more in total")
      ->capture_default_str();
  app.add_option("--norm", norm)->capture_default_str()->check(CLI::IsMember({"none", "bn", "gn"}));
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir, "default: by the options, in train_log");
  CLI11_PARSE(app, argc, argv);
  if (log_dir.empty()) log_dir = fmt::format("train_log/vgg16-norm={}", norm);

  const int64_t total_batch = batch * process_group().world_size();
  if (total_batch < 256 && folder != "fake") {
    throw UsageError(fmt::format(
        "[vgg16] expected a total batch of 256 or more, which the warm-up is for, got {}", total_batch));
  }
  const double base = 0.01 * (static_cast<double>(total_batch) / 256);
  const AnyDataFlow validation = get_imagenet_dataflow(folder, "val", batch, fbresnet_augmentor(false));
  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  const TrainingEnd end = launch_train_with_config(
      {
          .model = VGG16(norm),
          .dataflow = get_imagenet_dataflow(folder, "train", batch, fbresnet_augmentor(true)),
          .steps_per_epoch = 1281167 / total_batch,
          .max_epoch = epochs,
          .callbacks =
              callbacks(ModelSaver(), EstimatedTimeLeft(),
                        ScheduledHyperParamSetter("learning_rate", {{0, 0.01}, {3, std::max(base, 0.01)}},
                                                  {.linear = true}),
                        ScheduledHyperParamSetter("learning_rate",
                                                  {{30, base * 1e-1}, {60, base * 1e-2}, {80, base * 1e-3}}),
                        imagenet_validation(validation)),
          .log_dir = log_dir,
      },
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
