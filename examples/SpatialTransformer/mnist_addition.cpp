// The sum of two distorted digits, each found by a spatial transformer.
//
//   example_mnist_addition --data DIR          DIR holds MNIST's IDX files
//   example_mnist_addition --data fake         random images, to see it run
//   example_mnist_addition --data DIR --load MODEL --view        draws what each transformer sees
//
// tensorpack's examples/SpatialTransformer/mnist-addition.py reports 8.8 % error after about 300 epochs. On
// purpose different: --view writes pictures into the folder "view", without frames around what was found.

#include "examples/SpatialTransformer/mnist_addition.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string>

#include "belfry/data.h"

using namespace belfry;

namespace {

/// Images of [42, 42, 1] with a distorted digit somewhere; each `seed` has an order and distortions of its
/// own.
AnyDataFlow digits(Split split, const std::string& folder, uint64_t seed) {
  AnyDataFlow ds = [&]() -> AnyDataFlow {
    if (folder == "fake")
      return FakeData({{{28, 28, 1}}, {{}, at::kLong, 0, 10}}, {.size = 512, .seed = seed});
    return Mnist(split, folder);
  }();
  const imgaug::AugmentorList augs(
      {imgaug::MapImage([](const at::Tensor& x) { return x * 255.0; }),
       imgaug::RandomResize({.xrange = {0.7, 1.2}, .yrange = {0.7, 1.2}}), imgaug::RotationAndCropValid(45),
       imgaug::RandomPaste({mnist_addition::kImageSize, mnist_addition::kImageSize}),
       imgaug::SaltPepperNoise(0.01, 0.01)});
  return AugmentImageComponent(ShuffleData(ds, {.seed = seed}), augs, 0, {}, {.seed = seed});
}

AnyDataFlow get_data(Split split, const std::string& folder) {
  // Two digits become two channels, and their sum the label.
  auto mapper = [](const Datapoint& dp) {
    return Datapoint{at::cat({dp[0], dp[2]}, 2), (dp[1] + dp[3]).to(at::kInt)};
  };
  return BatchData(MapData(JoinData({digits(split, folder, 1), digits(split, folder, 2)}), mapper), 128);
}

void view_warp(const std::string& folder, const std::string& path) {
  const OfflinePredictor pred({.model = mnist_addition::Model(),
                               .session_init = SmartInit(path),
                               .inputs = {"input"},
                               .outputs = {"visualization/viz"}});
  const auto batch = get_data(Split::kTest, folder)->start_pass(0).next();
  if (!batch) throw DataError("[mnist_addition] expected a batch, got no data");
  const at::Tensor stacked = (pred({(*batch)[0]})[0] + 0.5) * 255;  // n x 2h x 3w
  viz::dump_dataflow_images(DataFromList({Datapoint{stacked}}), "view", {.number = 30});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, load, log_dir = "train_log/mnist_addition";
  int64_t epochs = 500;
  bool view = false;
  CLI::App app("Trains spatial transformers to add two digits.");
  app.add_option("--data", folder, "folder of MNIST's IDX files, or 'fake'")->required();
  app.add_option("--load", load, "model to load");
  app.add_flag("--view", view, "draw instead of training");
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (view) {
    view_warp(folder, load);
    return 0;
  }
  const AnyDataFlow train = get_data(Split::kTrain, folder);
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  launch_train_with_config(
      {.model = mnist_addition::Model(),
       .data = QueueInput(train),
       .steps_per_epoch = *train->size() * 5,
       .max_epoch = epochs,
       .callbacks = callbacks(
           ModelSaver(),
           InferenceRunner(get_data(Split::kTest, folder), {ScalarStats("cost"), ClassificationError()}),
           ScheduledHyperParamSetter("learning_rate", {{200, 1e-4}})),
       .session_init = SmartInit(load),
       .log_dir = log_dir},
      trainer);
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
