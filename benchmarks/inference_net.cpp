// Latency of the nets of benchmarks/peers/nets.py in Belfry, with the same weights. benchmarks/inference runs
// it and its peers in turn.
//
// usage: inference_net NET BATCH THREADS DTYPE FOLDER
//
// FOLDER holds NET.npz, the weights, and NET-BATCH.npz, an input and the output expected of it
// (benchmarks/peers/export_nets.py). Prints the largest difference of the outputs from the expected ones and
// the largest expected value; then for each line of standard input, a number of seconds, the median latency
// in ms over that time.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "belfry/inference/compiled_callable.h"

using namespace belfry;

namespace {

struct Conv {
  int64_t filters, kernel, stride = 1, groups = 1;
  Activation activation = nullptr;
};

/// Padded by half a kernel on every side, as PyTorch's nets are; with a stride of 2, "same" would pad less.
Tensor conv(const std::string& name, const Tensor& x, const Conv& options) {
  const int64_t edge = options.stride > 1 ? options.kernel / 2 : 0;
  const Tensor padded = edge > 0 ? pad(x, {{0, 0}, {edge, edge}, {edge, edge}, {0, 0}}) : x;
  return Conv2D(name, padded,
                {.filters = options.filters,
                 .kernel = options.kernel,
                 .strides = options.stride,
                 .padding = edge > 0 ? "valid" : "same",
                 .groups = options.groups,
                 .activation = options.activation});
}

Tensor bn(const Tensor& x) {
  return BatchNorm("bn", x);
}
Tensor bn_relu6(const Tensor& x) {
  return relu6(bn(x));
}

Tensor mnist(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu});
  return (image * 2.0 - 1.0) | Conv2D("conv0") | MaxPooling("pool0", {.pool = 2}) | Conv2D("conv1") |
         Conv2D("conv2") | MaxPooling("pool1", {.pool = 2}) | Conv2D("conv3") |
         FullyConnected("fc0", {.units = 512, .activation = relu}) | FullyConnected("fc1", {.units = 10});
}

Tensor cifar_block(const std::string& name, Tensor x, int64_t filters, bool first) {
  VariableScope scope(name);
  const int64_t stride = filters / x.dim(-1);
  Tensor y = first ? x : BNReLU(x);
  y = conv("conv1", y, {.filters = filters, .kernel = 3, .stride = stride, .activation = BNReLU});
  y = conv("conv2", y, {.filters = filters, .kernel = 3});
  if (stride == 2) {
    x = AvgPooling("pool", x, {.pool = 2});
    x = pad(x, {{0, 0}, {0, 0}, {0, 0}, {filters / 4, filters / 4}});
  }
  return y + x;
}

Tensor cifar(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.use_bias = false});
  Tensor x = conv("conv0", image, {.filters = 16, .kernel = 3, .activation = BNReLU});
  for (int64_t stage = 0; stage < 3; ++stage) {
    for (int64_t block = 0; block < 3; ++block) {
      x = cifar_block(fmt::format("res{}.{}", stage + 1, block), x, 16 << stage, stage + block == 0);
    }
  }
  return BNReLU(x) | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 10});
}

Tensor basic_block(const Tensor& x, int64_t filters, int64_t stride) {
  Tensor y = conv("conv1", x, {.filters = filters, .kernel = 3, .stride = stride, .activation = BNReLU});
  return conv("conv2", y, {.filters = filters, .kernel = 3, .activation = bn});
}

Tensor bottleneck_block(const Tensor& x, int64_t filters, int64_t stride) {
  Tensor y = conv("conv1", x, {.filters = filters, .kernel = 1, .activation = BNReLU});
  y = conv("conv2", y, {.filters = filters, .kernel = 3, .stride = stride, .activation = BNReLU});
  return conv("conv3", y, {.filters = 4 * filters, .kernel = 1, .activation = bn});
}

Tensor resnet(const Tensor& image, const std::vector<int>& blocks,
              Tensor (*residual)(const Tensor&, int64_t filters, int64_t stride)) {
  ArgScope defaults(Conv2DOptions{.use_bias = false});
  Tensor x = conv("conv0", image, {.filters = 64, .kernel = 7, .stride = 2, .activation = BNReLU});
  x = MaxPooling("pool0", x, {.pool = 3, .strides = 2, .padding = "same"});
  for (size_t group = 0; group < blocks.size(); ++group) {
    for (int block = 0; block < blocks[group]; ++block) {
      VariableScope scope(fmt::format("group{}/block{}", group, block));
      const int64_t stride = group > 0 && block == 0 ? 2 : 1;
      const Tensor y = residual(x, 64 << group, stride);
      if (y.shape() != x.shape()) {
        x = Conv2D("shortcut", x, {.filters = y.dim(-1), .kernel = 1, .strides = stride, .activation = bn});
      }
      x = relu(y + x);
    }
  }
  return x | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 1000});
}

Tensor resnet18(const Tensor& image) {
  return resnet(image, {2, 2, 2, 2}, basic_block);
}
Tensor resnet50(const Tensor& image) {
  return resnet(image, {3, 4, 6, 3}, bottleneck_block);
}

struct InvertedResidual {
  int64_t expansion, filters, stride;
};

Tensor inverted_residual(const std::string& name, const Tensor& x, const InvertedResidual& options) {
  VariableScope scope(name);
  const int64_t wide = x.dim(-1) * options.expansion;
  Tensor y = x;
  if (options.expansion > 1) y = conv("expand", y, {.filters = wide, .kernel = 1, .activation = bn_relu6});
  y = conv("depthwise", y,
           {.filters = wide, .kernel = 3, .stride = options.stride, .groups = wide, .activation = bn_relu6});
  y = conv("project", y, {.filters = options.filters, .kernel = 1, .activation = bn});
  return y.shape() == x.shape() ? y + x : y;
}

Tensor mobilenet_v2(const Tensor& image) {
  struct Stage {
    InvertedResidual first;
    int count;
  };
  ArgScope defaults(Conv2DOptions{.use_bias = false});
  Tensor x = conv("conv0", image, {.filters = 32, .kernel = 3, .stride = 2, .activation = bn_relu6});
  int index = 0;
  for (auto [block, count] : std::vector<Stage>{{{1, 16, 1}, 1},
                                                {{6, 24, 2}, 2},
                                                {{6, 32, 2}, 3},
                                                {{6, 64, 2}, 4},
                                                {{6, 96, 1}, 3},
                                                {{6, 160, 2}, 3},
                                                {{6, 320, 1}, 1}}) {
    for (int i = 0; i < count; ++i, block.stride = 1) {
      x = inverted_residual(fmt::format("block{}", index++), x, block);
    }
  }
  x = conv("conv1", x, {.filters = 1280, .kernel = 1, .activation = bn_relu6});
  return x | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 1000});
}

Tensor vgg16(const Tensor& image) {
  ArgScope defaults(Conv2DOptions{.kernel = 3, .activation = relu},
                    FullyConnectedOptions{.units = 4096, .activation = relu});
  const std::vector<int> counts = {2, 2, 3, 3, 3};
  Tensor x = image;
  for (int stage = 1; stage <= 5; ++stage) {
    for (int i = 1; i <= counts[stage - 1]; ++i) {
      x = Conv2D(fmt::format("conv{}_{}", stage, i), x, {.filters = std::min(32 << stage, 512)});
    }
    x = MaxPooling(fmt::format("pool{}", stage), x, {.pool = 2});
  }
  return x | FullyConnected("fc6") | FullyConnected("fc7") |
         FullyConnected("fc8", {.units = 1000, .activation = Activation(nullptr)});
}

Tensor norm(const std::string& name, const Tensor& x) {
  VariableScope scope(name);
  return layer_norm(x, get_variable("gamma", {x.dim(-1)}, {.initializer = ones_initializer()}),
                    get_variable("beta", {x.dim(-1)}, {.initializer = zeros_initializer()}));
}

/// Of a post-norm encoder; `x`: [samples * time, width].
Tensor encoder_layer(const std::string& name, Tensor x, int64_t time, int64_t heads) {
  VariableScope scope(name);
  const int64_t width = x.dim(-1);
  Tensor qkv = FullyConnected("qkv", x, {.units = 3 * width});
  qkv = transpose(reshape(qkv, {-1, time, 3, heads, width / heads}), {2, 0, 3, 1, 4});
  Tensor y = scaled_dot_product_attention(select(qkv, 0), select(qkv, 1), select(qkv, 2));
  y = reshape(transpose(y, {0, 2, 1, 3}), {-1, width});
  x = norm("norm1", x + FullyConnected("out", y, {.units = width}));
  y = FullyConnected("ff1", x, {.units = 4 * width, .activation = gelu});
  return norm("norm2", x + FullyConnected("ff2", y, {.units = width}));
}

Tensor transformer(const Tensor& embeddings) {
  const int64_t time = embeddings.dim(1), width = embeddings.dim(2);
  Tensor x = reshape(embeddings, {-1, width});
  for (int i = 0; i < 4; ++i) x = encoder_layer(fmt::format("layer{}", i), x, time, /*heads=*/4);
  return reshape(x, {-1, time, width});
}

const std::map<std::string, Tensor (*)(const Tensor&)> kNets = {
    {"mnist", mnist},
    {"cifar", cifar},
    {"resnet18", resnet18},
    {"resnet50", resnet50},
    {"mobilenet_v2", mobilenet_v2},
    {"vgg16", vgg16},
    {"transformer", transformer},
};

OfflinePredictor make_predictor(const std::string& net, const std::string& weights, Shape shape) {
  shape[0] = kDynamic;
  auto build = [&](const TowerInputs& in) { return identity(kNets.at(net)(in["input"]), "output"); };
  return OfflinePredictor({.model = TowerFunc(build, {{"input", shape, kFloat32}}),
                           .session_init = SmartInit(weights),
                           .inputs = {"input"},
                           .outputs = {"output"}});
}

double median_latency(const CompiledCallable& predict, const at::Tensor& input, double seconds) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (auto start = Clock::now(); start < end;) {
    predict({input});
    const auto now = Clock::now();
    times.push_back(std::chrono::duration<double, std::milli>(now - start).count());
    start = now;
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 || kNets.count(argv[1]) == 0) {
    fmt::print(stderr, "usage: {} NET BATCH THREADS float32|bfloat16 FOLDER\n", argv[0]);
    return 2;
  }
  const std::string net = argv[1], batch = argv[2], dtype = argv[4], folder = argv[5];
  at::set_num_threads(std::stoi(argv[3]));
  const auto example = load_checkpoint(fmt::format("{}/{}-{}.npz", folder, net, batch));
  const at::Tensor input = example.at("input"), expected = example.at("expected");
  const OfflinePredictor predictor =
      make_predictor(net, fmt::format("{}/{}.npz", folder, net), input.sizes().vec());
  const CompiledCallable predict =
      compile(predictor.session(), {predictor.graph().tensor("input")}, {predictor.graph().tensor("output")},
              {.compute = dtype == "bfloat16" ? kBFloat16 : kFloat32});

  for (int i = 0; i < 2; ++i) predict({input});  // the first calls plan, and find their memory
  const at::Tensor difference = (predict({input})[0] - expected).abs().max();
  fmt::print("{} {}\n", difference.item<float>(), expected.abs().max().item<float>());
  std::fflush(stdout);
  for (double seconds; std::cin >> seconds;) {
    fmt::print("{:.4f}\n", median_latency(predict, input, seconds));
    std::fflush(stdout);
  }
}
