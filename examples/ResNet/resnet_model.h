#pragma once

#include <array>
#include <string>

#include "belfry/belfry.h"

// Residual networks for ImageNet and their blocks. Layers take their data_format from the ArgScope.

/// Builds one block of a group: `first` where it is the group's first one.
using ResNetBlock = belfry::Tensor (*)(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool first);
using ResNetGroup = belfry::Tensor (*)(const std::string& name, belfry::Tensor x, ResNetBlock block,
                                       int64_t features, int64_t count, int64_t stride);

/// Where the channels are, by the ArgScope of Conv2D.
inline int64_t channel_axis() {
  const std::string format = *belfry::with_argscope(belfry::Conv2DOptions{}).data_format;
  return format == "NCHW" || format == "channels_first" ? 1 : 3;
}

inline belfry::Tensor resnet_shortcut(const belfry::Tensor& x, int64_t n_out, int64_t stride,
                                      const belfry::Activation& activation = nullptr) {
  if (x.dim(channel_axis()) == n_out) return x;
  return belfry::Conv2D("convshortcut", x,
                        {.filters = n_out, .kernel = 1, .strides = stride, .activation = activation});
}

/// A BatchNorm; gamma begins at 0 in the last one of a block (Goyal et al., 2017).
inline belfry::Activation get_bn(bool zero_init = false) {
  using namespace belfry;
  return [zero_init](const Tensor& x) {
    if (zero_init) return BatchNorm("bn", x, {.gamma_initializer = zeros_initializer()});
    return BatchNorm("bn", x);
  };
}

inline belfry::Activation bn_relu() {
  return belfry::Activation(belfry::BNReLU);
}

// Pre-activation.

inline belfry::Tensor preact_basicblock(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool first) {
  using namespace belfry;
  Tensor l = first ? x : BNReLU("preact", x);
  l = Conv2D("conv1", l, {.filters = ch_out, .kernel = 3, .strides = stride, .activation = bn_relu()});
  l = Conv2D("conv2", l, {.filters = ch_out, .kernel = 3});
  return l + resnet_shortcut(x, ch_out, stride);
}

inline belfry::Tensor preact_bottleneck(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool first) {
  using namespace belfry;
  Tensor l = first ? x : BNReLU("preact", x);
  l = Conv2D("conv1", l, {.filters = ch_out, .kernel = 1, .activation = bn_relu()});
  l = Conv2D("conv2", l, {.filters = ch_out, .kernel = 3, .strides = stride, .activation = bn_relu()});
  l = Conv2D("conv3", l, {.filters = ch_out * 4, .kernel = 1});
  return l + resnet_shortcut(x, ch_out * 4, stride);
}

inline belfry::Tensor preact_group(const std::string& name, belfry::Tensor x, ResNetBlock block,
                                   int64_t features, int64_t count, int64_t stride) {
  using namespace belfry;
  VariableScope group(name);
  for (int64_t i = 0; i < count; ++i) {
    VariableScope scope(fmt::format("block{}", i));
    x = block(x, features, i == 0 ? stride : 1, i == 0);
  }
  return BNReLU("bnlast", x);
}

// Activation after the sum.

inline belfry::Tensor resnet_basicblock(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool) {
  using namespace belfry;
  Tensor l = Conv2D("conv1", x, {.filters = ch_out, .kernel = 3, .strides = stride, .activation = bn_relu()});
  l = Conv2D("conv2", l, {.filters = ch_out, .kernel = 3, .activation = get_bn(true)});
  return relu(l + resnet_shortcut(x, ch_out, stride, get_bn()));
}

/// The stride is that of the second convolution, as fb.resnet.torch has it.
inline belfry::Tensor resnet_bottleneck(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool) {
  using namespace belfry;
  Tensor l = Conv2D("conv1", x, {.filters = ch_out, .kernel = 1, .activation = bn_relu()});
  l = Conv2D("conv2", l, {.filters = ch_out, .kernel = 3, .strides = stride, .activation = bn_relu()});
  l = Conv2D("conv3", l, {.filters = ch_out * 4, .kernel = 1, .activation = get_bn(true)});
  return relu(l + resnet_shortcut(x, ch_out * 4, stride, get_bn()));
}

inline belfry::Tensor se_bottleneck(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool) {
  using namespace belfry;
  Tensor l = Conv2D("conv1", x, {.filters = ch_out, .kernel = 1, .activation = bn_relu()});
  l = Conv2D("conv2", l, {.filters = ch_out, .kernel = 3, .strides = stride, .activation = bn_relu()});
  l = Conv2D("conv3", l, {.filters = ch_out * 4, .kernel = 1, .activation = get_bn(true)});
  const Tensor squeeze = GlobalAvgPooling("gap", l) |
                         FullyConnected("fc1", {.units = ch_out / 4, .activation = relu}) |
                         FullyConnected("fc2", {.units = ch_out * 4, .activation = sigmoid});
  Shape shape = {-1, 1, 1, 1};
  shape[static_cast<size_t>(channel_axis())] = ch_out * 4;
  l = l * reshape(squeeze, shape);
  return relu(l + resnet_shortcut(x, ch_out * 4, stride, get_bn()));
}

inline belfry::Tensor resnext32x4d_bottleneck(const belfry::Tensor& x, int64_t ch_out, int64_t stride, bool) {
  using namespace belfry;
  Tensor l = Conv2D("conv1", x, {.filters = ch_out * 2, .kernel = 1, .activation = bn_relu()});
  l = Conv2D("conv2", l,
             {.filters = ch_out * 2, .kernel = 3, .strides = stride, .groups = 32, .activation = bn_relu()});
  l = Conv2D("conv3", l, {.filters = ch_out * 4, .kernel = 1, .activation = get_bn(true)});
  return relu(l + resnet_shortcut(x, ch_out * 4, stride, get_bn()));
}

inline belfry::Tensor resnet_group(const std::string& name, belfry::Tensor x, ResNetBlock block,
                                   int64_t features, int64_t count, int64_t stride) {
  using namespace belfry;
  VariableScope group(name);
  for (int64_t i = 0; i < count; ++i) {
    VariableScope scope(fmt::format("block{}", i));
    x = block(x, features, i == 0 ? stride : 1, i == 0);
  }
  return x;
}

inline belfry::Tensor resnet_backbone(const belfry::Tensor& image, const std::array<int64_t, 4>& num_blocks,
                                      ResNetGroup group, ResNetBlock block) {
  using namespace belfry;
  ArgScope defaults(Conv2DOptions{
      .use_bias = false,
      .kernel_initializer = variance_scaling_initializer({.scale = 2.0, .mode = FanMode::kOut})});
  Tensor l = image | Conv2D("conv0", {.filters = 64, .kernel = 7, .strides = 2, .activation = bn_relu()}) |
             MaxPooling("pool0", {.pool = 3, .strides = 2, .padding = "same"});
  l = group("group0", l, block, 64, num_blocks[0], 1);
  l = group("group1", l, block, 128, num_blocks[1], 2);
  l = group("group2", l, block, 256, num_blocks[2], 2);
  l = group("group3", l, block, 512, num_blocks[3], 2);
  return l | GlobalAvgPooling("gap") |
         FullyConnected("linear", {.units = 1000, .kernel_initializer = random_normal_initializer(0, 0.01)});
}
