// A pre-activation ResNet on CIFAR-10, after "Identity Mappings in Deep Residual Networks" and tensorpack's
// examples/ResNet/cifar10-resnet.py.
//
//   example_cifar10_resnet --data DIR -n 18        DIR holds CIFAR-10's binary files
//
// tensorpack reports 5.9 % error for n = 18 (ResNet-110) after 64 epochs of 1000 steps of 128 images, and
// here n = 3 (ResNet-20) has about 8.5 % with steps of 64. Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends
// with exit status 0; the same command goes on from there. An error is exit status 1.
//
// Other than there: layers are [N, H, W, C], which is faster here and makes the same checkpoints; several
// processes (torchrun) stand for several GPUs in one; an interrupted training goes on.

#include "examples/ResNet/cifar10_resnet.h"

#include <CLI/CLI.hpp>

#include "belfry/data.h"

using namespace belfry;

namespace {

AnyDataFlow cifar(Split split, const std::string& folder, int64_t batch) {
  if (folder == "fake") {
    return FakeData({{.shape = {batch, 32, 32, 3}, .low = -128, .high = 128},
                     {.shape = {batch}, .dtype = kInt64, .low = 0, .high = 10}},
                    {.size = 100, .random = false});
  }
  const bool train = split == Split::kTrain;
  const at::Tensor pp_mean = Cifar10(Split::kTrain, folder).get_per_pixel_mean();
  const imgaug::MapImage subtract_mean([pp_mean](const at::Tensor& image) { return image - pp_mean; });
  std::vector<imgaug::AnyAugmentor> augmentors = {subtract_mean};
  if (train) {
    augmentors = {imgaug::CenterPaste({40, 40}), imgaug::RandomCrop({32, 32}), imgaug::Flip({.horiz = true}),
                  subtract_mean};
  }
  const Cifar10 images(split, folder, {.shuffle = train});
  return BatchData(AugmentImageComponent(images, imgaug::AugmentorList(augmentors)), batch,
                   {.remainder = !train});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/cifar10_resnet";
  int n = 5;
  int64_t batch = 64, steps_per_epoch = 1000, epochs = 64;
  CLI::App app("Trains a ResNet of 6n + 2 layers on CIFAR-10.");
  app.add_option("--data", folder, "folder of CIFAR-10's binary files, or \"fake\"")->required();
  app.add_option("-n,--num-units", n, "units in each stage")->capture_default_str();
  app.add_option("--load", load, "checkpoint to begin with");
  app.add_option("--batch", batch, "of each process")->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  CifarResNet model(n);
  DistributedTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  const TrainingEnd end = launch_train_with_config(
      AutoResumeTrainConfig({
          .model = model,
          .dataflow = cifar(Split::kTrain, folder, batch),
          .steps_per_epoch = steps_per_epoch,
          .max_epoch = epochs,
          .callbacks =
              callbacks(ModelSaver(),
                        InferenceRunner(cifar(Split::kTest, folder, batch),
                                        {ScalarStats("cost"), ClassificationError("wrong_vector")}),
                        ScheduledHyperParamSetter("learning_rate", {{1, 0.1}, {32, 0.01}, {48, 0.001}})),
          .session_init = SmartInit(load),
          .log_dir = log_dir,
      }),
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
