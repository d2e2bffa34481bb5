// Time of one training step (forward, backward, update, moving averages) of the models of benchmarks/peers,
// on a constant batch. Prints the median in ms. benchmarks/training runs it and its peers in turn.
//
// usage: train_step mnist|cifar|transformer BATCH STEPS THREADS [plain|profile]
//
// transformer: two blocks of 4 heads on 64 tokens of 128 features.
//
// plain: not compiled, with ATen's autograd. profile: what the instructions of a step take.

#include <ATen/Parallel.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randint.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/layer_norm.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/adam.h"
#include "belfry/optim/momentum.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"

using namespace belfry;

namespace {

Tensor mnist_convnet(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu});
  return (image * 2.0 - 1.0) | Conv2D("conv0") | MaxPooling("pool0", {.pool = 2}) | Conv2D("conv1") |
         Conv2D("conv2") | MaxPooling("pool1", {.pool = 2}) | Conv2D("conv3") |
         FullyConnected("fc0", {.units = 512, .activation = relu}) | Dropout("dropout", {.rate = 0.5}) |
         FullyConnected("fc1", {.units = 10});
}

Tensor residual(const std::string& name, Tensor x, bool increase, bool first) {
  VariableScope scope(name);
  const int64_t channels = x.dim(-1), out = increase ? 2 * channels : channels;
  Tensor y = first ? x : BNReLU(x);
  y = Conv2D("conv1", y, {.filters = out, .strides = increase ? 2 : 1, .activation = BNReLU});
  y = Conv2D("conv2", y, {.filters = out});
  if (increase) {
    x = AvgPooling("pool", x, {.pool = 2});
    x = pad(x, {{0, 0}, {0, 0}, {0, 0}, {channels / 2, channels / 2}});
  }
  return y + x;
}

Tensor cifar_resnet(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.kernel = 3, .use_bias = false});
  Tensor x = Conv2D("conv0", image, {.filters = 16, .activation = BNReLU});
  for (int stage = 0; stage < 3; ++stage) {
    for (int i = 0; i < 3; ++i) {
      x = residual(fmt::format("res{}.{}", stage + 1, i), x, stage > 0 && i == 0, stage == 0 && i == 0);
    }
  }
  return BNReLU(x) | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 10});
}

/// Rows [batch * time, features] of tokens [batch, time].
Tensor attend(Tensor x, int64_t batch, int64_t time, int64_t heads) {
  const int64_t features = x.dim(-1), size = features / heads;
  const Tensor all = FullyConnected("qkv", x, {.units = 3 * features});
  const Tensor split_heads = transpose(reshape(all, {batch, time, 3, heads, size}), {2, 0, 3, 1, 4});
  const std::vector<Tensor> qkv = unstack(split_heads, 0);
  const Tensor y = transpose(scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]), {0, 2, 1, 3});
  return FullyConnected("out", reshape(y, {batch * time, features}), {.units = features});
}

Tensor transformer(const Tensor& tokens) {
  constexpr int64_t kFeatures = 128, kTokens = 1000, kHeads = 4;
  const int64_t batch = tokens.dim(0), time = tokens.dim(1);
  Tensor x = embedding_lookup(get_variable("table", {kTokens, kFeatures}, {}), tokens);
  x = reshape(x, {batch * time, kFeatures});
  for (int i = 0; i < 2; ++i) {
    VariableScope scope(fmt::format("block{}", i));
    x = x + attend(LayerNorm("norm0", x), batch, time, kHeads);
    const Tensor y =
        FullyConnected("fc0", LayerNorm("norm1", x), {.units = 4 * kFeatures, .activation = gelu});
    x = x + FullyConnected("fc1", y, {.units = kFeatures});
  }
  x = mean(reshape(LayerNorm("norm", x), {batch, time, kFeatures}), 1);
  return FullyConnected("linear", x, {.units = 10});
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc == 6 ? argv[5] : "";
  if ((argc != 5 && argc != 6) || (!mode.empty() && mode != "plain" && mode != "profile")) {
    fmt::print(stderr, "usage: {} mnist|cifar|transformer BATCH STEPS THREADS [plain|profile]\n", argv[0]);
    return 2;
  }
  const std::string model = argv[1];
  const bool mnist = model == "mnist", words = model == "transformer";
  const int64_t batch = std::stol(argv[2]), steps = std::stol(argv[3]);
  at::set_num_threads(std::stoi(argv[4]));

  Graph graph;
  GraphScope as_default(graph);
  const Shape shape = mnist ? Shape{batch, 28, 28, 1} : words ? Shape{batch, 64} : Shape{batch, 32, 32, 3};
  const Tensor image = placeholder("image", shape, words ? kInt64 : kFloat32),
               label = placeholder("label", {batch}, kInt64);
  TowerContext tower("", {.is_training = true});
  const Tensor logits = mnist ? mnist_convnet(image) : words ? transformer(image) : cifar_resnet(image);
  const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label));
  std::unique_ptr<Optimizer> optimizer;
  if (mnist || words) {
    optimizer = std::make_unique<Adam>(AdamOptions{.learning_rate = 1e-3});
  } else {
    optimizer = std::make_unique<Momentum>(MomentumOptions{.learning_rate = 0.1});
  }
  std::vector<Tensor> work = {optimizer->minimize(cost)};
  for (const Tensor& update : graph.collection(kUpdateOps)) work.push_back(update);

  Session session(graph);
  session.initialize_variables();
  const CompiledStep step =
      compile_step(session, {image, label}, {group(work), cost}, {.compile = mode != "plain"});
  const std::vector<at::Tensor> feeds = {words ? at::randint(1000, shape, at::kLong) : at::rand(shape),
                                         at::randint(10, {batch}, at::kLong)};
  if (mode == "profile") {
    for (int i = 0; i < 3; ++i) step(feeds);
    for (const ProfiledStep& part : step.profile(feeds))
      fmt::print("{:8.3f} ms  {:50} {}\n", part.seconds * 1e3, part.node, part.kernel);
    return 0;
  }
  std::vector<double> times;
  for (int64_t i = 0; i < steps + 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step(feeds);
    if (i >= 5)
      times.push_back(
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + steps / 2, times.end());
  fmt::print("{:.3f}\n", times[steps / 2]);
}
