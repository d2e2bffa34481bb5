// ShuffleNet and ShuffleNetV2 on ImageNet, after tensorpack's examples/ImageNetModels/shufflenet.py.
//
//   example_shufflenet --data DIR -r 0.5 [--v2]
//   example_shufflenet --data DIR -r 0.5 --v2 --load ShuffleNetV2-0.5x.npz --eval
//
// DIR is that of ILSVRC12; "fake" trains on random numbers. tensorpack reports top-1 errors of 40.8 % (V1
// 0.5x), 32.6 % (V1 1x), 39.5 % (V2 0.5x) and 30.6 % (V2 1x), with a total batch of 1024.
//
// Other than there: one process for each GPU (torchrun), of which --batch is the batch of one; --flops is
// what `belfry flops` tells of an exported model.

#include "examples/ImageNetModels/shufflenet.h"

#include <CLI/CLI.hpp>

using namespace belfry;

namespace {

AnyDataFlow get_data(const std::string& folder, const std::string& name, int64_t batch, double ratio) {
  using namespace imgaug;
  if (name != "train")
    return get_imagenet_dataflow(folder, name, batch,
                                 {ResizeShortestEdge(256, Interpolation::kCubic), CenterCrop(224)});
  // Less of it where the model is small.
  const Range area = {ratio < 1 ? 0.49 : 0.08, 1};
  return get_imagenet_dataflow(
      folder, name, batch,
      {GoogleNetRandomCropAndResize({.crop_area_fraction = area}),
       RandomOrderAug({BrightnessScale({0.6, 1.4}, false), Contrast({0.6, 1.4}, {.clip = false}),
                       Saturation(0.4, {.rgb = false}), imagenet_lighting()}),
       Flip({.horiz = true})});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir;
  ShuffleNet::Options options;
  int64_t batch = 1024, epochs = 0;
  bool eval = false, gpu = false;
  CLI::App app("Trains ShuffleNet on ImageNet.");
  app.add_option("--data", folder, "ILSVRC12's folder, or \"fake\"")->required();
  app.add_option("-r,--ratio", options.ratio)->capture_default_str()->check(CLI::IsMember({0.5, 1.0}));
  app.add_option("--group", options.group, "groups of V1")
      ->capture_default_str()
      ->check(CLI::IsMember({3, 4, 8}));
  app.add_flag("--v2", options.v2, "ShuffleNetV2");
  app.add_option("--batch", batch, "of each process; 1024 in total give the results")->capture_default_str();
  app.add_option("--epochs", epochs, "0: as many as 300k steps are");
  app.add_option("--load", load, "weights to begin with, or to evaluate");
  app.add_flag("--eval", eval, "evaluate instead of training");
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir, "default: by the options, in train_log");
  CLI11_PARSE(app, argc, argv);

  ShuffleNet model(options);
  if (eval) {
    eval_classification(model, SmartInit(load), get_data(folder, "val", 128, options.ratio));
    return 0;
  }
  if (log_dir.empty()) {
    log_dir = options.v2 ? fmt::format("train_log/ShuffleNetV2-{}x", options.ratio)
                         : fmt::format("train_log/ShuffleNetV1-{}x-g{}", options.ratio, options.group);
  }
  const int64_t total_batch = batch * process_group().world_size();
  if (total_batch != 1024) log_warning("The recipe is for a total batch of 1024, got {}", total_batch);
  constexpr int64_t kSteps = 300000;
  const int64_t steps_per_epoch = 1280000 / total_batch;
  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  const TrainingEnd end = launch_train_with_config(
      {
          .model = model,
          .dataflow = get_data(folder, "train", batch, options.ratio),
          .steps_per_epoch = steps_per_epoch,
          .max_epoch = epochs > 0 ? epochs : kSteps / steps_per_epoch + 1,
          .callbacks = callbacks(ModelSaver(),
                                 ScheduledHyperParamSetter("learning_rate", {{0, 0.5}, {kSteps, 0}},
                                                           {.linear = true, .step_based = true}),
                                 EstimatedTimeLeft(),
                                 imagenet_validation(get_data(folder, "val", batch, options.ratio))),
          .session_init = SmartInit(load),
          .log_dir = log_dir,
      },
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
