#pragma once

#include <fmt/format.h>

#include <array>
#include <memory>
#include <vector>

#include "belfry/belfry.h"

/// The pre-activation ResNet-18 of mixup's authors, which is not that of the paper of ResNets. Labels are
/// probabilities of the classes.
struct CifarPreAct18 : belfry::ModelDesc {
  static constexpr int64_t kClasses = 10;
  static constexpr double kWeightDecay = 1e-4;

  std::vector<belfry::TensorSpec> inputs() const override {
    using namespace belfry;
    return {{"input", {kDynamic, 32, 32, 3}, kFloat32}, {"label", {kDynamic, kClasses}, kFloat32}};
  }

  static belfry::Tensor preactivation_block(const belfry::Tensor& x, int64_t filters, int64_t stride) {
    using namespace belfry;
    const Tensor net = BNReLU(x);
    const Tensor conv1 = Conv2D(
        "conv1", net, {.filters = filters, .kernel = 3, .strides = stride, .activation = Activation(BNReLU)});
    const Tensor residual = Conv2D("conv2", conv1, {.filters = filters, .kernel = 3});
    if (stride == 1 && x.dim(-1) == filters) return x + residual;
    return Conv2D("shortcut", net, {.filters = filters, .kernel = 1, .strides = stride}) + residual;
  }

  belfry::Tensor build_graph(const belfry::TowerInputs& in) override {
    using namespace belfry;
    auto [image, label] = in.get<2>();
    const Tensor mean_image = constant(at::tensor({0.4914f, 0.4822f, 0.4465f}));
    const Tensor std_image = constant(at::tensor({0.2023f, 0.1994f, 0.2010f}));
    const Initializer pytorch_default = variance_scaling_initializer(
        {.scale = 1.0 / 3, .mode = FanMode::kIn, .distribution = Distribution::kUniform});
    ArgScope defaults(Conv2DOptions{.use_bias = false, .kernel_initializer = pytorch_default});

    Tensor net = Conv2D("conv0", (image / 255.0 - mean_image) / std_image, {.filters = 64, .kernel = 3});
    constexpr std::array<int64_t, 4> kFilters = {64, 128, 256, 512};
    for (size_t i = 0; i < kFilters.size(); ++i) {
      for (int j = 0; j < 2; ++j) {
        VariableScope scope(fmt::format("res{}.{}", i, j));
        net = preactivation_block(net, kFilters[i], j == 0 && i > 0 ? 2 : 1);
      }
    }
    const Tensor logits =
        net | GlobalAvgPooling("gap") |
        FullyConnected("linear",
                       {.units = kClasses, .kernel_initializer = random_normal_initializer(0, 1e-3)});
    softmax(logits, -1, "output");
    if (!label) return {};

    const Tensor cost = mean(softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor wrong = not_in_top_k(logits, argmax(label, 1), 1, "wrong_vector");
    add_moving_summary({mean(wrong, "train_error"), cost});
    add_param_summary({{".*/W", {"histogram"}}});
    const Tensor squares = regularize_cost(".*", [](const Tensor& w) { return l2_loss(w); });
    const Tensor decay = multiply(constant(kWeightDecay), squares, "wd_cost");
    return identity(cost + decay, "cost");
  }

  std::unique_ptr<belfry::Optimizer> optimizer() override {
    using namespace belfry;
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.1), .trainable = false});
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate, .momentum = 0.9});
  }
};
