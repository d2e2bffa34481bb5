#pragma once

#include "examples/ImageNetModels/imagenet_utils.h"

class AlexNet : public ImageNetModel {
 public:
  AlexNet() { weight_decay = 5e-4; }

  belfry::Tensor get_logits(const belfry::Tensor& image) override {
    using namespace belfry;
    const Initializer gauss = random_normal_initializer(0, 0.01);
    const LocalResponseAttributes lrn{.depth_radius = 2, .bias = 1, .alpha = 2e-5, .beta = 0.75};
    const MaxPoolingOptions pooling{.pool = 3, .strides = 2, .padding = "valid"};
    Tensor features;
    {
      ArgScope defaults(
          Conv2DOptions{.activation = relu, .kernel_initializer = variance_scaling_initializer({.scale = 2})},
          FullyConnectedOptions{.activation = relu});
      // 55 x 55 after conv1 need a border.
      const Tensor padded = pad(image, {{0, 0}, {2, 2}, {2, 2}, {0, 0}});
      Tensor l = Conv2D("conv1", padded, {.filters = 96, .kernel = 11, .strides = 4, .padding = "valid"});
      visualize_conv1_weights(variables_of(l)["W"]);
      l = local_response_normalization(l, lrn, "norm1") | MaxPooling("pool1", pooling);
      l = Conv2D("conv2", l, {.filters = 256, .kernel = 5, .groups = 2});
      l = local_response_normalization(l, lrn, "norm2") | MaxPooling("pool2", pooling);
      features =
          l | Conv2D("conv3", {.filters = 384, .kernel = 3}) |
          Conv2D("conv4", {.filters = 384, .kernel = 3, .groups = 2}) |
          Conv2D("conv5", {.filters = 256, .kernel = 3, .groups = 2}) | MaxPooling("pool3", pooling) |
          FullyConnected(
              "fc6", {.units = 4096, .kernel_initializer = gauss, .bias_initializer = ones_initializer()}) |
          dropout_half | FullyConnected("fc7", {.units = 4096, .kernel_initializer = gauss}) | dropout_half;
    }
    return FullyConnected("fc8", features, {.units = 1000, .kernel_initializer = gauss});
  }

 private:
  static belfry::Tensor dropout_half(const belfry::Tensor& x) { return belfry::Dropout(x, {.rate = 0.5}); }

  /// The 96 filters as one picture of 8 x 12, as in the paper.
  static void visualize_conv1_weights(const belfry::Tensor& filters) {
    using namespace belfry;
    NameScope scope("visualize_conv1");
    const Tensor grid = transpose(reshape(filters, {11, 11, 3, 8, 12}), {3, 0, 4, 1, 2});
    image_summary("visualize_conv1", reshape(grid, {1, 88, 132, 3}));
  }
};
