#pragma once

#include <memory>
#include <vector>

#include "belfry/belfry.h"

namespace cifar_convnet {
using namespace belfry;

/// A small convnet for CIFAR-10 or CIFAR-100, on crops of 30 x 30 pixels.
struct Model : ModelDesc {
  explicit Model(int64_t cifar_classnum) : cifar_classnum(cifar_classnum) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, 30, 30, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [image, label] = in.get<2>();
    ImageSummaryOptions ten;
    ten.max_images = 10;
    image_summary("train_image", image, ten);

    ArgScope convolutions(Conv2DOptions{.kernel = 3, .activation = Activation(BNReLU), .use_bias = false});
    ArgScope pools(MaxPoolingOptions{.pool = 3, .strides = 2, .padding = "same"});
    const Tensor logits =
        (image / 4.0) |  // just to make the range smaller
        Conv2D("conv1.1", {.filters = 64}) | Conv2D("conv1.2", {.filters = 64}) | MaxPooling("pool1") |
        Conv2D("conv2.1", {.filters = 128}) | Conv2D("conv2.2", {.filters = 128}) | MaxPooling("pool2") |
        Conv2D("conv3.1", {.filters = 128, .padding = "valid"}) |
        Conv2D("conv3.2", {.filters = 128, .padding = "valid"}) |
        FullyConnected("fc0", {.units = 1024 + 512, .activation = relu}) | Dropout("drop", {.rate = 0.5}) |
        FullyConnected("fc1", {.units = 512, .activation = relu}) |
        FullyConnected("linear", {.units = cifar_classnum});
    identity(logits, "logits");
    if (!label) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor correct = cast(in_top_k(logits, label, 1), kFloat32, "correct");
    const Tensor decay = regularize_cost("fc.*/W", l2_regularizer(4e-4), "regularize_loss");
    add_moving_summary({mean(correct, "accuracy"), cost, decay});
    add_param_summary({{".*/W", {"histogram"}}});
    return add_n({cost, decay}, "cost");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(1e-2), .trainable = false});
    scalar_summary("lr", rate);
    return std::make_unique<Adam>(AdamOptions{.learning_rate = rate, .epsilon = 1e-3});
  }

  int64_t cifar_classnum;
};

}  // namespace cifar_convnet
