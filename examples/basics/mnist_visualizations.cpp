// The convnet on MNIST, whose filters and activations TensorBoard shows as images.
//
//   example_mnist_visualizations --data DIR       DIR holds MNIST's files
//   example_mnist_visualizations --data fake      random images, to see it run
//   tensorboard --logdir train_log
//
// After tensorpack's examples/basics/mnist-visualizations.py, which runs 100 epochs.

#include "examples/basics/mnist_visualizations.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

using namespace belfry;

namespace {

AnyDataFlow get_data(Split split, const std::string& folder) {
  const bool train = split == Split::kTrain;
  if (folder == "fake") {
    const FakeData images({{{28, 28}, at::kFloat, 0, 1}, {{}, at::kLong, 0, 10}}, {.size = 512});
    return BatchData(images, 128);
  }
  const Mnist digits(split, folder, {.shuffle = train});
  const MapDataComponent flat(digits, [](const at::Tensor& image) { return image.reshape({28, 28}); });
  return BatchData(flat, train ? 128 : 256, {.remainder = !train});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, log_dir = "train_log/mnist-visualizations";
  int64_t epochs = 100;
  CLI::App app("Trains a convnet on MNIST and shows what it has learnt.");
  app.add_option("--data", folder, "folder of MNIST's files, or 'fake'")->required();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = mnist_visualizations::Model(),
       .dataflow = get_data(Split::kTrain, folder),
       .max_epoch = epochs,
       .callbacks =
           callbacks(ModelSaver(), InferenceRunner(get_data(Split::kTest, folder),
                                                   {ScalarStats({"cross_entropy_loss", "accuracy"})})),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
