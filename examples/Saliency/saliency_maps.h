#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace saliency_maps {
using namespace belfry;

/// The gradient of relu in guided backpropagation (Springenberg et al., 2015): what is negative stays behind.
inline std::vector<Tensor> guided_relu(const DifferentiatedOperator& relu) {
  const Tensor& gradient = relu.gradients[0];
  return {where(logical_and(greater(gradient, 0), greater(relu.outputs[0], 0)), gradient, 0)};
}

/// The gradient of the largest element of each row of `output` by `input` (Simonyan et al., 2014), of the
/// shape of `input`.
inline Tensor saliency_map(const Tensor& output, const Tensor& input,
                           const std::string& name = "saliency_map") {
  const Tensor largest = max(output, 1);
  return identity(gradients(sum(largest), {input})[0], name);
}

// ResNet-v1 as TensorFlow's slim has it, with the variables of its checkpoints.

/// Residual units of a block, of which the last halves the size where `stride` is 2.
struct Block {
  int64_t depth, units, stride;
};
inline std::vector<Block> resnet_v1_50_blocks() {
  return {{256, 3, 2}, {512, 4, 2}, {1024, 6, 2}, {2048, 3, 1}};
}

struct SlimOptions {
  int64_t kernel = 1, stride = 1;
  bool relu = true;
};
/// Convolution without a bias, then batch normalisation by the moving averages.
inline Tensor slim_conv2d(const std::string& name, Tensor x, int64_t filters, SlimOptions options) {
  VariableScope scope(name);
  const int64_t k = options.kernel;
  // A strided convolution sees as much padding as one without stride.
  const bool padded = options.stride > 1 && k > 1;
  if (padded) x = pad(x, {{0, 0}, {(k - 1) / 2, k / 2}, {(k - 1) / 2, k / 2}, {0, 0}});
  x = conv2d(x, get_variable("weights", {k, k, x.dim(-1), filters}),
             {.strides = options.stride, .padding = padded ? "VALID" : "SAME"});
  VariableScope normalisation("BatchNorm");
  const Variable scale = get_variable("gamma", {filters}, {.initializer = ones_initializer()});
  const Variable offset = get_variable("beta", {filters}, {.initializer = zeros_initializer()});
  const Variable mean = get_variable("moving_mean", {filters}, {.initializer = zeros_initializer()});
  const Variable variance = get_variable("moving_variance", {filters}, {.initializer = ones_initializer()});
  x = batch_norm(x, mean, variance, scale, offset, {.epsilon = 1e-5});
  return options.relu ? relu(x) : x;
}

inline Tensor bottleneck(const Tensor& x, int64_t depth, int64_t stride) {
  VariableScope scope("bottleneck_v1");
  Tensor shortcut = x;
  if (x.dim(-1) != depth)
    shortcut = slim_conv2d("shortcut", x, depth, {.stride = stride, .relu = false});
  else if (stride > 1)
    shortcut = max_pool2d(x, {.pool = 1, .strides = stride});
  Tensor y = slim_conv2d("conv1", x, depth / 4, {});
  y = slim_conv2d("conv2", y, depth / 4, {.kernel = 3, .stride = stride});
  y = slim_conv2d("conv3", y, depth, {.relu = false});
  return relu(shortcut + y);
}

inline Tensor resnet_v1(Tensor x, const std::vector<Block>& blocks, int64_t classes) {
  x = slim_conv2d("conv1", x, 64, {.kernel = 7, .stride = 2});
  x = max_pool2d(x, {.pool = 3, .strides = 2, .padding = "SAME"});
  for (size_t b = 0; b < blocks.size(); ++b) {
    VariableScope block(fmt::format("block{}", b + 1));
    for (int64_t unit = 1; unit <= blocks[b].units; ++unit) {
      VariableScope scope(fmt::format("unit_{}", unit));
      x = bottleneck(x, blocks[b].depth, unit == blocks[b].units ? blocks[b].stride : 1);
    }
  }
  x = mean(x, {1, 2}, {.keep_dims = true});
  VariableScope scope("logits");
  const Variable weights = get_variable("weights", {1, 1, x.dim(-1), classes});
  const Variable biases = get_variable("biases", {classes}, {.initializer = zeros_initializer()});
  return squeeze(conv2d(x, weights, biases), {1, 2});
}

/// What the pixels of an RGB image [image_size, image_size, 3] do to the score of its class: "saliency".
struct Model : ModelDescBase {
  explicit Model(int64_t image_size = 224, std::vector<Block> blocks = resnet_v1_50_blocks(),
                 int64_t classes = 1000)
      : image_size(image_size), blocks(std::move(blocks)), classes(classes) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"image", {image_size, image_size, 3}, kFloat32}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    const Tensor original = in["image"];
    Tensor logits;
    {
      VariableScope scope("resnet_v1_50");
      GradientOverride guided("aten::relu", guided_relu);
      const Variable mean = get_variable("mean_rgb", {3});
      logits = identity(resnet_v1(expand_dims(original - mean, 0), blocks, classes), "output");
    }
    return saliency_map(logits, original, "saliency");
  }

  int64_t image_size;
  std::vector<Block> blocks;
  int64_t classes;
};

}  // namespace saliency_maps
