// A small convnet on CIFAR-10 or CIFAR-100.
//
//   example_cifar_convnet --data DIR          DIR holds CIFAR-10's binary files (--classnum 100: CIFAR-100's)
//   example_cifar_convnet --data fake         random images, to see it run
//
// tensorpack's examples/basics/cifar-convnet.py reports 91 % accuracy on CIFAR-10 after 50,000 steps. On
// purpose different: images are augmented in threads, and are channels last, which is what is fast on a CPU.

#include "examples/basics/cifar_convnet.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "belfry/data.h"

using namespace belfry;

namespace {

AnyDataFlow get_data(Split split, int64_t classnum, const std::string& folder) {
  const bool train = split == Split::kTrain;
  const auto classes = static_cast<double>(classnum);
  AnyDataFlow images = [&]() -> AnyDataFlow {
    if (folder == "fake")
      return FakeData({{{32, 32, 3}, at::kByte, 0, 256}, {{}, at::kLong, 0, classes}}, {.size = 512});
    if (classnum == 10) return Cifar10(split, folder, {.shuffle = train});
    return Cifar100(split, folder);
  }();
  if (train && classnum == 100 && folder != "fake") images = ShuffleData(images);
  const imgaug::AugmentorList augmentors =
      train ? imgaug::AugmentorList({imgaug::RandomCrop(30), imgaug::Flip({.horiz = true}),
                                     imgaug::Brightness(63), imgaug::Contrast({0.2, 1.8}),
                                     imgaug::MeanVarianceNormalize()})
            : imgaug::AugmentorList({imgaug::CenterCrop(30), imgaug::MeanVarianceNormalize()});
  if (train)
    images = MultiThreadMapData(images, 5, augment_image_component(augmentors));
  else
    images = AugmentImageComponent(images, augmentors);
  return BatchData(images, 128, {.remainder = !train});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir;
  int64_t classnum = 10, epochs = 150;
  CLI::App app("Trains a small convnet on CIFAR.");
  app.add_option("--data", folder, "folder of CIFAR's binary files, or 'fake'")->required();
  app.add_option("--classnum", classnum)->check(CLI::IsMember({10, 100}))->capture_default_str();
  app.add_option("--load", load, "checkpoint to start from");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir, "default: train_log/cifar and the number of classes");
  CLI11_PARSE(app, argc, argv);
  if (log_dir.empty()) log_dir = fmt::format("train_log/cifar{}", classnum);

  auto slower = [](double rate) {
    if (rate < 3e-5) throw StopTraining("the learning rate is small enough");
    return rate * 0.31;
  };
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = cifar_convnet::Model(classnum),
       .data = QueueInput(get_data(Split::kTrain, classnum, folder)),
       .max_epoch = epochs,
       .callbacks = callbacks(
           ModelSaver(),
           InferenceRunner(get_data(Split::kTest, classnum, folder), {ScalarStats({"accuracy", "cost"})}),
           StatMonitorParamSetter("learning_rate", "validation_accuracy", slower,
                                  {.threshold = 0.001, .last_k = 10, .reverse = true})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
