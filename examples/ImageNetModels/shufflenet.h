#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "examples/ImageNetModels/imagenet_utils.h"

// The layers are [N, H, W, C] whatever the model was trained with: neither names nor weights tell.

struct DepthConvOptions {
  belfry::Option<int64_t> out_channel = {};   ///< a multiple of the input's; required
  belfry::Option<int64_t> kernel_shape = {};  ///< required
  belfry::Option<int64_t> stride = belfry::by_default(1);
};

inline belfry::Tensor build_depth_conv(const std::string&, const belfry::Tensor& x,
                                       const DepthConvOptions& options) {
  using namespace belfry;
  const int64_t channels = x.dim(-1), size = options.kernel_shape.value();
  const Variable w = get_variable("W", {size, size, channels, options.out_channel.value() / channels},
                                  {.initializer = variance_scaling_initializer({.scale = 2.0})});
  return depthwise_conv2d(x, w, {.strides = *options.stride});
}
/// One filter for each channel. Variables: "W" [size, size, channels, multiplier].
inline constexpr belfry::Layer<DepthConvOptions> DepthConv{"DepthConv", build_depth_conv};

inline belfry::Tensor channel_shuffle(const belfry::Tensor& x, int64_t group) {
  using namespace belfry;
  NameScope scope("channel_shuffle");
  const int64_t height = x.dim(1), width = x.dim(2), channels = x.dim(3);
  const Tensor parts = reshape(x, {-1, height, width, channels / group, group});
  return reshape(transpose(parts, {0, 1, 2, 4, 3}), {-1, height, width, channels});
}

struct ShuffleNetUnitOptions {
  belfry::Option<int64_t> out_channel = {};               ///< required
  belfry::Option<int64_t> group = belfry::by_default(1);  ///< of the first version
  belfry::Option<int64_t> stride = belfry::by_default(1);
};

inline belfry::Tensor build_shufflenet_unit(const std::string&, const belfry::Tensor& x,
                                            const ShuffleNetUnitOptions& options) {
  using namespace belfry;
  const int64_t in = x.dim(-1), out = options.out_channel.value(), group = *options.group;
  const int64_t stride = *options.stride;
  // The first pointwise convolution sees too few channels for groups.
  Tensor l = Conv2D(
      "conv1", x,
      {.filters = out / 4, .kernel = 1, .groups = in > 24 ? group : 1, .activation = Activation(BNReLU)});
  l = channel_shuffle(l, group);
  l = DepthConv("dconv", l, {.out_channel = out / 4, .kernel_shape = 3, .stride = stride});
  l = BatchNorm("dconv_bn", l);
  l = Conv2D("conv2", l, {.filters = stride == 1 ? out : out - in, .kernel = 1, .groups = group});
  l = BatchNorm("conv2_bn", l);
  if (stride == 1) return relu(x + l);
  const Tensor shortcut = AvgPooling("avgpool", x, {.pool = 3, .strides = 2, .padding = "same"});
  return concat({shortcut, relu(l)}, 3);
}
inline constexpr belfry::Layer<ShuffleNetUnitOptions> ShuffleNetUnit{"shufflenet_unit", build_shufflenet_unit,
                                                                     false};

inline belfry::Tensor build_shufflenet_unit_v2(const std::string&, const belfry::Tensor& x,
                                               const ShuffleNetUnitOptions& options) {
  using namespace belfry;
  const int64_t out = options.out_channel.value(), stride = *options.stride;
  Tensor shortcut = x, l = x;
  if (stride == 1) {
    const std::vector<Tensor> halves = split(x, 2, 3);
    shortcut = halves[0];
    l = halves[1];
  }
  const int64_t shortcut_channel = shortcut.dim(-1);
  l = Conv2D("conv1", l, {.filters = out / 2, .kernel = 1, .activation = Activation(BNReLU)});
  l = DepthConv("dconv", l, {.out_channel = out / 2, .kernel_shape = 3, .stride = stride});
  l = BatchNorm("dconv_bn", l);
  l = Conv2D("conv2", l, {.filters = out - shortcut_channel, .kernel = 1, .activation = Activation(BNReLU)});
  if (stride == 2) {
    shortcut = DepthConv("shortcut_dconv", shortcut,
                         {.out_channel = shortcut_channel, .kernel_shape = 3, .stride = 2});
    shortcut = BatchNorm("shortcut_dconv_bn", shortcut);
    shortcut = Conv2D("shortcut_conv", shortcut,
                      {.filters = shortcut_channel, .kernel = 1, .activation = Activation(BNReLU)});
  }
  return channel_shuffle(concat({shortcut, l}, 3), 2);
}
inline constexpr belfry::Layer<ShuffleNetUnitOptions> ShuffleNetUnitV2{"shufflenet_unit_v2",
                                                                       build_shufflenet_unit_v2, false};

class ShuffleNet : public ImageNetModel {
 public:
  struct Options {
    double ratio = 0.5;  ///< 0.5 or 1
    int64_t group = 8;   ///< 3, 4 or 8; of the first version only
    bool v2 = false;
  };

  explicit ShuffleNet(Options options) : options_(options) {
    const bool known = options.ratio == 0.5 || options.ratio == 1;
    if (!known || (options.group != 3 && options.group != 4 && options.group != 8))
      throw belfry::UsageError(
          fmt::format("[ShuffleNet] expected a ratio of 0.5 or 1 and 3, 4 or 8 groups, got {} and {}",
                      options.ratio, options.group));
    weight_decay = 4e-5;
  }

  belfry::Tensor get_logits(const belfry::Tensor& image) override {
    using namespace belfry;
    ArgScope defaults(Conv2DOptions{.use_bias = false});
    const std::vector<int64_t> channels = stage_channels();
    const int64_t first = options_.v2 ? 24 : round_up(24 * options_.ratio, options_.group);
    Tensor l = Conv2D("conv1", image,
                      {.filters = first, .kernel = 3, .strides = 2, .activation = Activation(BNReLU)});
    l = MaxPooling("pool1", l, {.pool = 3, .strides = 2, .padding = "same"});
    l = stage("stage2", l, channels[0], 4);
    l = stage("stage3", l, channels[1], 8);
    l = stage("stage4", l, channels[2], 4);
    if (options_.v2) l = Conv2D("conv5", l, {.filters = 1024, .kernel = 1, .activation = Activation(BNReLU)});
    return l | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 1000});
  }

 private:
  static int64_t round_up(double x, int64_t multiple) {
    return static_cast<int64_t>(std::ceil(x / static_cast<double>(multiple))) * multiple;
  }

  /// The numbers of the papers.
  std::vector<int64_t> stage_channels() const {
    if (options_.v2)
      return options_.ratio == 1 ? std::vector<int64_t>{116, 232, 464} : std::vector<int64_t>{48, 96, 192};
    static const std::map<int64_t, std::vector<int64_t>> whole = {
        {3, {240, 480, 960}}, {4, {272, 544, 1088}}, {8, {384, 768, 1536}}};
    std::vector<int64_t> result = whole.at(options_.group);
    for (int64_t& x : result) x = round_up(static_cast<double>(x) * options_.ratio, options_.group * 4);
    return result;
  }

  belfry::Tensor stage(const std::string& name, belfry::Tensor l, int64_t channel, int64_t num_blocks) const {
    using namespace belfry;
    VariableScope scope(name);
    for (int64_t i = 0; i < num_blocks; ++i) {
      const ShuffleNetUnitOptions unit{
          .out_channel = channel, .group = options_.group, .stride = i == 0 ? 2 : 1};
      const std::string block = fmt::format("block{}", i);
      l = options_.v2 ? ShuffleNetUnitV2(block, l, unit) : ShuffleNetUnit(block, l, unit);
    }
    return l;
  }

  Options options_;
};
