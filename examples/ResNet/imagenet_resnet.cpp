// ResNets on ImageNet, by the recipe of "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", after
// tensorpack's examples/ResNet/imagenet-resnet.py.
//
//   example_imagenet_resnet --data DIR -d 50 [--mode resnet|preact|se|resnext32x4d]
//   example_imagenet_resnet --data DIR -d 50 --load ResNet50.npz --eval
//   example_imagenet_resnet --fake                             trains on random numbers, to measure
//
// DIR is that of ILSVRC12. tensorpack reports, with 8 processes of 32 images, top-1 errors of 29.66 % (d =
// 18), 26.17 % (34), 23.61 % (50), 22.64 % (50, se), 21.95 % (101), 21.51 % (152) and 21.05 % (101,
// resnext32x4d).
//
// Other than there: one process for each GPU (torchrun), of which --batch is the batch of one; layers are
// [N, H, W, C] unless --data-format says otherwise, which makes the same checkpoints.

#include "examples/ResNet/imagenet_resnet.h"

#include <CLI/CLI.hpp>

using namespace belfry;

namespace {

Callbacks make_callbacks(const std::string& folder, int64_t batch, double total_batch) {
  const double start = 0.1, base = start * (total_batch / 256);
  Callbacks list = callbacks(ModelSaver(), EstimatedTimeLeft(),
                             ScheduledHyperParamSetter("learning_rate", {{0, std::min(start, base)},
                                                                         {30, base * 1e-1},
                                                                         {60, base * 1e-2},
                                                                         {90, base * 1e-3},
                                                                         {100, base * 1e-4}}));
  if (base > start) {
    list.push_back(std::make_shared<ScheduledHyperParamSetter>(
        "learning_rate", ScheduledHyperParamSetter::Schedule{{0, start}, {5, base}},
        ScheduleOptions{.linear = true}));
  }
  const AnyDataFlow validation = get_imagenet_dataflow(folder, "val", batch, fbresnet_augmentor(false));
  list.push_back(std::make_shared<InferenceRunner>(imagenet_validation(validation)));
  return list;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, mode = "resnet", data_format = "NHWC", log_dir;
  int depth = 50;
  int64_t batch = 32, epochs = 105;
  bool eval = false, fake = false, weight_decay_norm = false, gpu = false;
  CLI::App app("Trains a ResNet on ImageNet.");
  app.add_option("--data", folder, "ILSVRC12's folder");
  app.add_flag("--fake", fake, "train on random numbers, to try or to measure the model");
  app.add_option("--load", load, "weights to begin with, or to evaluate");
  app.add_flag("--eval", eval, "evaluate instead of training");
  app.add_option("-d,--depth", depth)->capture_default_str()->check(CLI::IsMember({18, 34, 50, 101, 152}));
  app.add_option("--mode", mode)
      ->capture_default_str()
      ->check(CLI::IsMember({"resnet", "preact", "se", "resnext32x4d"}));
  app.add_option("--data-format", data_format)->capture_default_str()->check(CLI::IsMember({"NCHW", "NHWC"}));
  app.add_flag("--weight-decay-norm", weight_decay_norm, "decay gamma and beta too, as PyTorch does");
  app.add_option("--batch", batch, "of each process; 32 to 64 give the best results")->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_flag("--gpu", gpu, "train on the GPU of each process");
  app.add_option("--log-dir", log_dir, "default: by the options, in train_log");
  CLI11_PARSE(app, argc, argv);
  if (fake == !folder.empty()) throw UsageError("[imagenet_resnet] expected either --data or --fake");

  ImageNetResNet model(depth, mode);
  model.data_format = data_format;
  if (weight_decay_norm) model.weight_decay_pattern = ".*/W|.*/gamma|.*/beta";
  if (eval) {
    const AnyDataFlow validation = get_imagenet_dataflow(folder, "val", 128, fbresnet_augmentor(false));
    eval_classification(model, SmartInit(load), validation);
    return 0;
  }

  const int64_t total_batch = batch * process_group().world_size();
  if (log_dir.empty()) log_dir = fmt::format("train_log/imagenet-{}-d{}-batch{}", mode, depth, total_batch);
  DistributedTrainer trainer({.device = gpu ? c10::kCUDA : c10::kCPU});
  const TrainingEnd end = launch_train_with_config(
      {
          .model = model,
          .dataflow = get_imagenet_dataflow(fake ? "fake" : folder, "train", batch, fbresnet_augmentor(true)),
          .steps_per_epoch = fake ? 100 : 1281167 / total_batch,
          .max_epoch = epochs,
          .callbacks = fake ? Callbacks() : make_callbacks(folder, batch, static_cast<double>(total_batch)),
          .session_init = SmartInit(load),
          .log_dir = log_dir,
      },
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
