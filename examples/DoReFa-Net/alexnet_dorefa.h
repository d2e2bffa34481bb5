#pragma once

#include <memory>
#include <string>

#include "examples/DoReFa-Net/dorefa.h"
#include "examples/ImageNetModels/imagenet_utils.h"

/// An AlexNet of low bit width. The first and the last layer are not quantized.
class AlexNetDoReFa : public ImageNetModel {
 public:
  explicit AlexNetDoReFa(DoReFaBits bits) : bits_(bits) {
    weight_decay = 5e-6;
    weight_decay_pattern = "fc.*/W";
    data_format = "NCHW";  // fc0 sees its inputs in this order, and so do checkpoints
  }

  belfry::Tensor get_logits(const belfry::Tensor& image) override {
    using namespace belfry;
    const DoReFa q = get_dorefa(bits_);
    RemapVariables quantized([&](const Variable& v) {
      const std::string& name = v.name();
      if (!name.ends_with("W") || name.find("conv0") != name.npos || name.find("fct") != name.npos)
        return v.seen();
      log_info("Quantizing weight {}", name);
      return bits_.ternary ? ternarize(v) : q.fw(v);
    });
    auto nonlin = [&](const Tensor& x) { return bits_.a == 32 ? relu(x) : clip_by_value(x, 0.0, 1.0); };
    auto activate = [&](const Tensor& x) { return q.fa(nonlin(x)); };
    ArgScope defaults(Conv2DOptions{.data_format = data_format, .use_bias = false},
                      BatchNormOptions{.momentum = 0.9, .epsilon = 1e-4, .data_format = data_format},
                      MaxPoolingOptions{.data_format = data_format});
    const MaxPoolingOptions same{.pool = 3, .strides = 2, .padding = "same"};

    const Tensor logits =
        image |
        Conv2D("conv0", {.filters = 96, .kernel = 12, .strides = 4, .padding = "valid", .use_bias = true}) |
        activate | Conv2D("conv1", {.filters = 256, .kernel = 5, .groups = 2}) | q.fg | BatchNorm("bn1") |
        MaxPooling("pool1", same) | activate | Conv2D("conv2", {.filters = 384, .kernel = 3}) | q.fg |
        BatchNorm("bn2") | MaxPooling("pool2", same) | activate |
        Conv2D("conv3", {.filters = 384, .kernel = 3, .groups = 2}) | q.fg | BatchNorm("bn3") | activate |
        Conv2D("conv4", {.filters = 256, .kernel = 3, .groups = 2}) | q.fg | BatchNorm("bn4") |
        MaxPooling("pool4", {.pool = 3, .strides = 2, .padding = "valid"}) | activate |
        FullyConnected("fc0", {.units = 4096}) | q.fg | BatchNorm("bnfc0") | activate |
        FullyConnected("fc1", {.units = 4096, .use_bias = false}) | q.fg | BatchNorm("bnfc1") | nonlin |
        FullyConnected("fct", {.units = 1000, .use_bias = true});
    add_param_summary({{".*/W", {"histogram", "rms"}}});
    softmax(logits, -1, "output");
    return logits;
  }

  std::unique_ptr<belfry::Optimizer> optimizer() override {
    using namespace belfry;
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(2e-4), .trainable = false});
    return std::make_unique<Adam>(AdamOptions{.learning_rate = rate, .epsilon = 1e-5});
  }

 private:
  DoReFaBits bits_;
};
