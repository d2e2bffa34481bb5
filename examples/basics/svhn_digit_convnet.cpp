// A very small convnet on Street View House Numbers.
//
//   example_svhn_digit_convnet --data DIR         DIR holds train_32x32.mat, extra_32x32.mat and
//   test_32x32.mat example_svhn_digit_convnet --data fake        random images, to see it run
//
// tensorpack's examples/basics/svhn-digit-convnet.py reports an error of about 2.3 % after 70 epochs of 4721
// steps, 2.15 % after 150. On purpose different: images are augmented in threads.

#include "examples/basics/svhn_digit_convnet.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "belfry/data.h"

using namespace belfry;

namespace {

AnyDataFlow digits(const std::string& name, const std::string& folder) {
  if (folder == "fake")
    return FakeData({{{32, 32, 3}, at::kByte, 0, 256}, {{}, at::kLong, 0, 10}}, {.size = 256});
  return SVHNDigit(name, folder, {.shuffle = name != "test"});
}

AnyDataFlow get_data(bool train, const std::string& folder) {
  if (!train) {
    const AugmentImageComponent images(digits("test", folder),
                                       imgaug::AugmentorList({imgaug::Resize(40), imgaug::ToFloat32()}));
    return BatchData(images, 128, {.remainder = true});
  }
  const imgaug::AugmentorList augmentors(
      {imgaug::Resize(40), imgaug::Brightness(30), imgaug::Contrast({0.5, 1.5}), imgaug::ToFloat32()});
  const RandomMixData mixed({digits("train", folder), digits("extra", folder)});
  return BatchData(MultiThreadMapData(mixed, 5, augment_image_component(augmentors)), 128);
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/svhn-digit-convnet";
  int64_t epochs = 350;
  CLI::App app("Trains a very small convnet on SVHN.");
  app.add_option("--data", folder, "folder of SVHN's files, or 'fake'")->required();
  app.add_option("--load", load, "checkpoint to start from");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = svhn_digit_convnet::Model(),
       .data = QueueInput(get_data(true, folder)),
       .max_epoch = epochs,
       .callbacks = callbacks(ModelSaver(),
                              InferenceRunner(get_data(false, folder), {ScalarStats({"cost", "accuracy"})})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
