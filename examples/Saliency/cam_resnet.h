#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace cam_resnet {
using namespace belfry;

inline Tensor preact_basicblock(const Tensor& x, int64_t features, int64_t stride, bool preact) {
  const Tensor activated = preact ? BNReLU("preact", x) : x;
  Tensor y = Conv2D("conv1", activated,
                    {.filters = features, .kernel = 3, .strides = stride, .activation = Activation(BNReLU)});
  y = Conv2D("conv2", y, {.filters = features, .kernel = 3});
  if (x.dim(1) == features) return y + x;
  return y + Conv2D("convshortcut", x, {.filters = features, .kernel = 1, .strides = stride});
}

inline Tensor preact_group(const std::string& name, Tensor x, int64_t features, int64_t count,
                           int64_t stride) {
  VariableScope scope(name);
  for (int64_t i = 0; i < count; ++i) {
    VariableScope block(fmt::format("block{}", i));
    // The activation before the first block is the end of the group before.
    x = preact_basicblock(x, features, i == 0 ? stride : 1, i > 0);
  }
  return BNReLU("bnlast", x);
}

/// A pre-activation ResNet of 18 or 34 layers whose last group keeps 14 x 14 pixels, so that one can see
/// where a class is: "group3new/bnlast/Relu" times a column of "linearnew/W" is the class's activation map.
struct Model : ModelDesc {
  explicit Model(int64_t depth = 18, int64_t image_size = 224, int64_t width = 64)
      : depth(depth), image_size(image_size), width(width) {
    if (depth != 18 && depth != 34)
      throw UsageError(fmt::format("[Model] expected a depth of 18 or 34, got {}", depth));
  }

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, image_size, image_size, 3}, kUInt8}, {"label", {kDynamic}, kInt64}};
  }

  Tensor get_logits(const Tensor& image) const {
    const std::vector<int64_t> defs =
        depth == 18 ? std::vector<int64_t>{2, 2, 2, 2} : std::vector<int64_t>{3, 4, 6, 3};
    ArgScope defaults(Conv2DOptions{.data_format = "channels_first",
                                    .use_bias = false,
                                    .kernel_initializer =
                                        variance_scaling_initializer({.scale = 2.0, .mode = FanMode::kOut})},
                      MaxPoolingOptions{.data_format = "channels_first"},
                      GlobalAvgPoolingOptions{.data_format = "channels_first"},
                      BatchNormOptions{.data_format = "channels_first"});
    Tensor x = Conv2D("conv0", image,
                      {.filters = width, .kernel = 7, .strides = 2, .activation = Activation(BNReLU)});
    x = MaxPooling("pool0", x, {.pool = 3, .strides = 2, .padding = "same"});
    x = preact_group("group0", x, width, defs[0], 1);
    x = preact_group("group1", x, width * 2, defs[1], 2);
    x = preact_group("group2", x, width * 4, defs[2], 2);
    x = preact_group("group3new", x, width * 8, defs[3], 1);
    identity(x, "convmaps");
    return x | GlobalAvgPooling("gap") | FullyConnected("linearnew", {.units = 1000});
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [input, label] = in.get<2>();
    // The images are BGR.
    const Tensor mean_bgr = constant({0.406 * 255, 0.456 * 255, 0.485 * 255});
    const Tensor std_bgr = constant({0.225 * 255, 0.224 * 255, 0.229 * 255});
    const Tensor image = transpose((cast(input, kFloat32) - mean_bgr) / std_bgr, {0, 3, 1, 2});
    const Tensor logits = get_logits(image);
    softmax(logits, -1, "prob");
    if (!label) return {};

    const Tensor loss = mean(sparse_softmax_cross_entropy(logits, label), "xentropy-loss");
    const Tensor wrong1 = not_in_top_k(logits, label, 1, "wrong-top1");
    const Tensor wrong5 = not_in_top_k(logits, label, 5, "wrong-top5");
    const Tensor decay = regularize_cost(".*/W", l2_regularizer(1e-4), "l2_regularize_loss");
    add_moving_summary({mean(wrong1, "train-error-top1"), mean(wrong5, "train-error-top5"), loss, decay});
    return add_n({loss, decay}, "cost");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.1), .trainable = false});
    return apply_grad_processors(std::make_unique<Momentum>(MomentumOptions{
                                     .learning_rate = rate, .momentum = 0.9, .use_nesterov = true}),
                                 ScaleGradient({{"conv0.*", 0.1}, {"group[0-2].*", 0.1}}));
  }

  int64_t depth, image_size, width;
};

}  // namespace cam_resnet
