// A pre-activation ResNet on CIFAR-10, after "Identity Mappings in Deep Residual Networks" and tensorpack's
// examples/ResNet/cifar10-resnet.py.
//
//   cifar_resnet --data DIR            DIR holds CIFAR-10's binary files
//
// n = 3 (ResNet-20): about 8.5 % error after 64 epochs of 1000 steps of 64 images; n = 18 (ResNet-110): 5.9 %
// with 128 images. Ctrl-C (or SIGTERM, or SIGUSR1) saves and ends with exit status 0; the same command goes
// on from there. An error is exit status 1.

#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <mutex>

#include "belfry/belfry.h"

using namespace belfry;

namespace {

struct ResNet : ModelDesc {
  explicit ResNet(int n) : n(n) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 32, 32, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  static Tensor residual(const std::string& name, Tensor x, bool increase_dim, bool first) {
    VariableScope scope(name);
    const int64_t channels = x.dim(-1);
    const int64_t out = increase_dim ? channels * 2 : channels;
    const Tensor b1 = first ? x : BNReLU(x);
    const Tensor c1 = Conv2D(
        "conv1", b1, {.filters = out, .strides = increase_dim ? 2 : 1, .activation = Activation(BNReLU)});
    const Tensor c2 = Conv2D("conv2", c1, {.filters = out});
    if (increase_dim) {
      x = AvgPooling("pool", x, {.pool = 2});
      x = pad(x, {{0, 0}, {0, 0}, {0, 0}, {channels / 2, channels / 2}});
    }
    return c2 + x;
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    ArgScope defaults(Conv2DOptions{
        .kernel = 3,
        .use_bias = false,
        .kernel_initializer = variance_scaling_initializer({.scale = 2.0, .mode = FanMode::kOut})});
    Tensor x = image / 128.0;
    x = Conv2D("conv0", x, {.filters = 16, .activation = Activation(BNReLU)});
    for (int stage = 1; stage <= 3; ++stage) {
      for (int k = 0; k < n; ++k)
        x = residual(fmt::format("res{}.{}", stage, k), x, stage > 1 && k == 0, stage == 1 && k == 0);
    }
    x = BNReLU("bnlast", x) | GlobalAvgPooling("gap");
    const Tensor logits = FullyConnected("linear", x, {.units = 10});
    softmax(logits, -1, "output");
    if (!label) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor wrong = not_in_top_k(logits, label, 1, "wrong_vector");
    const Tensor decay = regularize_cost(".*/W", l2_regularizer(2e-4), "wd_cost");
    add_moving_summary({cost, decay, mean(wrong, "train_error")});
    add_param_summary({{".*/W", {"histogram"}}});
    return identity(cost + decay, "cost");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.01), .trainable = false});
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate, .momentum = 0.9});
  }

  int n;
};

/// Images minus the mean image of the training set; those for training shifted and mirrored at random.
AnyDataFlow cifar(Split split, const std::string& folder, int64_t batch, const at::Tensor& mean_image) {
  const bool train = split == Split::kTrain;
  auto rng = std::make_shared<Rng>(0);
  auto augment = [=](at::Tensor image) {
    image = image.to(at::kFloat);
    if (train) {
      const at::Tensor padded = at::constant_pad_nd(image, {0, 0, 4, 4, 4, 4});
      image = padded.narrow(0, static_cast<int64_t>(rng->below(9)), 32)
                  .narrow(1, static_cast<int64_t>(rng->below(9)), 32);
      if (rng->below(2)) image = image.flip({1});
    }
    return image - mean_image;
  };
  AnyDataFlow images = Cifar10(split, folder);
  if (train) images = ShuffleData(images);
  return BatchData(MapDataComponent(images, augment), batch, {.remainder = !train});
}

}  // namespace

int main(int argc, char** argv) try {
  std::string folder, log_dir = "train_log/cifar_resnet";
  int n = 3;
  int64_t batch = 64, steps_per_epoch = 1000, epochs = 64;
  CLI::App app("Trains a ResNet of 6n + 2 layers on CIFAR-10.");
  app.add_option("--data", folder, "folder of CIFAR-10's binary files")->required();
  app.add_option("-n,--num-units", n, "units in each stage")->capture_default_str();
  app.add_option("--batch", batch)->capture_default_str();
  app.add_option("--epochs", epochs)->capture_default_str();
  app.add_option("--steps-per-epoch", steps_per_epoch)->capture_default_str();
  app.add_option("--log-dir", log_dir)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const at::Tensor mean_image = Cifar10(Split::kTrain, folder).tensors()[0].to(at::kFloat).mean(0);
  ResNet model(n);
  SimpleTrainer trainer;
  StopOnSignal stop_on_signal(trainer);
  const TrainingEnd end = launch_train_with_config(
      AutoResumeTrainConfig({
          .model = model,
          .data = QueueInput(cifar(Split::kTrain, folder, batch, mean_image)),
          .steps_per_epoch = steps_per_epoch,
          .max_epoch = epochs,
          .callbacks =
              callbacks(ModelSaver(),
                        InferenceRunner(cifar(Split::kTest, folder, batch, mean_image),
                                        {ScalarStats("cost"), ClassificationError("wrong_vector")}),
                        ScheduledHyperParamSetter("learning_rate", {{1, 0.1}, {32, 0.01}, {48, 0.001}})),
          .log_dir = log_dir,
      }),
      trainer);
  return end.reason == EndReason::kNotFinite ? 1 : 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
