#pragma once

#include <string>

#include "examples/ImageNetModels/imagenet_utils.h"

/// VGG16 without normalisation ("none"), or with it after each convolution: "bn", or "gn" of 32 groups.
class VGG16 : public ImageNetModel {
 public:
  explicit VGG16(std::string norm = "none") : norm_(std::move(norm)) {
    if (norm_ != "none" && norm_ != "bn" && norm_ != "gn")
      throw belfry::UsageError(fmt::format("[VGG16] expected the norm none, bn or gn, got {}", norm_));
    weight_decay = 5e-4;
    data_format = "NCHW";  // fc6 sees its inputs in this order, and so do checkpoints
  }

  belfry::Tensor get_logits(const belfry::Tensor& image) override {
    using namespace belfry;
    ArgScope defaults(Conv2DOptions{.data_format = data_format,
                                    .kernel_initializer = variance_scaling_initializer({.scale = 2})},
                      MaxPoolingOptions{.data_format = data_format},
                      BatchNormOptions{.data_format = data_format});
    auto conv = [this](const char* name, int64_t channels) {
      return [this, name, channels](const Tensor& x) { return convnormrelu(x, name, channels); };
    };
    const Initializer small = random_normal_initializer(0, 0.001);
    const Tensor logits =
        image | conv("conv1_1", 64) | conv("conv1_2", 64) | MaxPooling("pool1", {.pool = 2}) |  // 112
        conv("conv2_1", 128) | conv("conv2_2", 128) | MaxPooling("pool2", {.pool = 2}) |        // 56
        conv("conv3_1", 256) | conv("conv3_2", 256) | conv("conv3_3", 256) |
        MaxPooling("pool3", {.pool = 2}) |  // 28
        conv("conv4_1", 512) | conv("conv4_2", 512) | conv("conv4_3", 512) |
        MaxPooling("pool4", {.pool = 2}) |  // 14
        conv("conv5_1", 512) | conv("conv5_2", 512) | conv("conv5_3", 512) |
        MaxPooling("pool5", {.pool = 2}) |  // 7
        FullyConnected("fc6", {.units = 4096, .kernel_initializer = small}) | relu | dropout_half |
        FullyConnected("fc7", {.units = 4096, .kernel_initializer = small}) | relu | dropout_half |
        FullyConnected("fc8", {.units = 1000, .kernel_initializer = random_normal_initializer(0, 0.01)});
    add_param_summary({{".*", {"histogram", "rms"}}});
    return logits;
  }

 private:
  static belfry::Tensor dropout_half(const belfry::Tensor& x) { return belfry::Dropout(x, {.rate = 0.5}); }

  belfry::Tensor convnormrelu(const belfry::Tensor& input, const std::string& name, int64_t channels) const {
    using namespace belfry;
    Tensor x = Conv2D(name, input, {.filters = channels, .kernel = 3});
    if (norm_ == "bn") {
      x = BatchNorm(name + "_bn", x);
    } else if (norm_ == "gn") {
      VariableScope scope(name + "_gn");
      const Variable beta = get_variable("beta", {channels}, {.initializer = zeros_initializer()});
      const Variable gamma = get_variable("gamma", {channels}, {.initializer = ones_initializer()});
      x = group_norm(x, gamma, beta, {.groups = 32, .epsilon = 1e-5, .data_format = data_format});
    }
    return relu(x, name + "_relu");
  }

  std::string norm_;
};
