#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

/// A pre-activation ResNet of 6n + 2 layers, after "Identity Mappings in Deep Residual Networks".
struct CifarResNet : belfry::ModelDesc {
  explicit CifarResNet(int n) : n(n) {}

  std::vector<belfry::TensorSpec> inputs() const override {
    using namespace belfry;
    return {{"input", {kDynamic, 32, 32, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  static belfry::Tensor residual(const std::string& name, belfry::Tensor x, bool increase_dim, bool first) {
    using namespace belfry;
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

  belfry::Tensor build_graph(const belfry::TowerInputs& in) override {
    using namespace belfry;
    auto [image, label] = in.get<2>();
    ArgScope defaults(Conv2DOptions{
        .kernel = 3,
        .use_bias = false,
        .kernel_initializer = variance_scaling_initializer({.scale = 2.0, .mode = FanMode::kOut})});
    Tensor x = Conv2D("conv0", image / 128.0, {.filters = 16, .activation = Activation(BNReLU)});
    for (int stage = 1; stage <= 3; ++stage) {
      for (int k = 0; k < n; ++k)
        x = residual(fmt::format("res{}.{}", stage, k), x, stage > 1 && k == 0, stage == 1 && k == 0);
    }
    const Tensor logits =
        BNReLU("bnlast", x) | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 10});
    softmax(logits, -1, "output");
    if (!label) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor wrong = not_in_top_k(logits, label, 1, "wrong_vector");
    add_moving_summary({mean(wrong, "train_error")});
    const Tensor rate = exponential_decay(0.0002, get_global_step(),
                                          {.decay_steps = 480000, .decay_rate = 0.2, .staircase = true});
    const Tensor decay =
        multiply(rate, regularize_cost(".*/W", [](const Tensor& w) { return l2_loss(w); }), "wd_cost");
    add_moving_summary({cost, decay});
    add_param_summary({{".*/W", {"histogram"}}});
    return identity(cost + decay, "cost");
  }

  std::unique_ptr<belfry::Optimizer> optimizer() override {
    using namespace belfry;
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.01), .trainable = false});
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate, .momentum = 0.9});
  }

  int n;
};
