// AlexNet on ImageNet, near to its paper, after tensorpack's examples/ImageNetModels/alexnet.py.
//
//   torchrun --nproc-per-node 2 --no-python example_alexnet --data DIR --batch 64 --gpu
//
// DIR is that of ILSVRC12; "fake" trains on random numbers. tensorpack reports 58 % accuracy (of the middle
// crop) after 100 epochs with a total batch of 128.
//
// Other than there: one process for each GPU; the picture of the first layer's filters is among the summaries
// that each epoch shows.

#include "examples/ImageNetModels/alexnet.h"

#include <CLI/CLI.hpp>

using namespace belfry;

namespace {

AnyDataFlow get_data(const std::string& folder, const std::string& name, int64_t batch) {
  using namespace imgaug;
  const ResizeShortestEdge resize(256, Interpolation::kCubic);
  std::vector<AnyAugmentor> augmentors = {resize, CenterCrop(224)};
  if (name == "train") augmentors = {resize, RandomCrop(224), imagenet_lighting(), Flip({.horiz = true})};
  return get_imagenet_dataflow(folder, name, batch, std::move(augmentors));
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, log_dir = "train_log/AlexNet";
  int64_t batch = 32, epochs = 100;
  bool gpu = false;
  CLI::App app("Trains AlexNet on ImageNet.");
  app.add_option("--data", folder, "ILSVRC12's folder, or \"fake\"")->required();
  app.add_option("--batch", batch, "of each process; 128 in total give the results")->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const int64_t total_batch = batch * process_group().world_size();
  if (total_batch != 128)
    log_warning("AlexNet is to be trained with a total batch of 128, got {}", total_batch);
  const double base = 0.01 * (static_cast<double>(total_batch) / 128);
  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  const TrainingEnd end = launch_train_with_config(
      {
          .model = AlexNet(),
          .dataflow = get_data(folder, "train", batch),
          .steps_per_epoch = 1281167 / total_batch,
          .max_epoch = epochs,
          .callbacks = callbacks(
              ModelSaver(), EstimatedTimeLeft(),
              ScheduledHyperParamSetter("learning_rate",
                                        {{0, base}, {30, base * 1e-1}, {60, base * 1e-2}, {80, base * 1e-3}}),
              imagenet_validation(get_data(folder, "val", batch))),
          .log_dir = log_dir,
      },
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
