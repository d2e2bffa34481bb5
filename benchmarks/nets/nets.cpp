#include "nets/nets.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/argscope.h"
#include "belfry/layers/batch_norm.h"
#include "belfry/layers/conv2d.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/layers/nonlinearity.h"
#include "belfry/layers/pooling.h"
#include "belfry/ops/ops.h"

namespace belfry::benchmarks {

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
         FullyConnected("fc0", {.units = 512, .activation = relu}) | Dropout("dropout") |
         FullyConnected("fc1", {.units = 10});
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

}  // namespace

const std::map<std::string, Net>& nets() {
  static const std::map<std::string, Net> table = {
      {"mnist", mnist},
      {"cifar", cifar},
      {"resnet18", resnet18},
      {"resnet50", resnet50},
      {"mobilenet_v2", mobilenet_v2},
      {"vgg16", vgg16},
      {"transformer", transformer},
  };
  return table;
}

}  // namespace belfry::benchmarks
