#pragma once

#include <memory>
#include <vector>

#include "belfry/belfry.h"

namespace svhn_digit_convnet {
using namespace belfry;

/// A very small convnet for SVHN: 0.8 million parameters.
struct Model : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 40, 40, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    ArgScope defaults(
        Conv2DOptions{.kernel = 3, .padding = "valid", .activation = Activation(BNReLU), .use_bias = false},
        MaxPoolingOptions{.pool = 2, .padding = "same"});
    const Tensor logits =
        (image / 128.0 - 1) | Conv2D("conv1", {.filters = 24, .kernel = 5}) | MaxPooling("pool1") |
        Conv2D("conv2", {.filters = 32}) | Conv2D("conv3", {.filters = 32}) | MaxPooling("pool2") |
        Conv2D("conv4", {.filters = 64}) | Dropout("drop", {.rate = 0.5}) |
        FullyConnected("fc0",
                       {.units = 512, .activation = relu, .bias_initializer = constant_initializer(0.1)}) |
        FullyConnected("linear", {.units = 10});
    softmax(logits, -1, "output");
    if (!label) return {};

    const Tensor accuracy = mean(cast(in_top_k(logits, label, 1), kFloat32), "accuracy");
    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor decay = regularize_cost("fc.*/W", l2_regularizer(0.00001));
    add_moving_summary({accuracy, cost, decay});
    add_param_summary({{".*/W", {"histogram", "rms"}}});
    return add_n({cost, decay}, "cost");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Tensor rate =
        exponential_decay(1e-3, get_global_step(),
                          {.decay_steps = 4721 * 60, .decay_rate = 0.2, .staircase = true}, "learning_rate");
    scalar_summary("lr", rate);
    return std::make_unique<Adam>(AdamOptions{.learning_rate = rate});
  }
};

}  // namespace svhn_digit_convnet
