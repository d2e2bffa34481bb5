#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "examples/DoReFa-Net/dorefa.h"

/// A digit classifier of low bit width. The first and the last layer are not quantized.
struct SvhnDoReFa : belfry::ModelDesc {
  explicit SvhnDoReFa(DoReFaBits bits = {}) : bits(bits) {}

  std::vector<belfry::TensorSpec> inputs() const override {
    using namespace belfry;
    return {{"input", {kDynamic, 40, 40, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  belfry::Tensor build_graph(const belfry::TowerInputs& in) override {
    using namespace belfry;
    auto [image, label] = in.get<2>();
    const Tensor logits = get_logits(image / 256.0);
    softmax(logits, -1, "output");
    if (!label) return {};

    const Tensor wrong = not_in_top_k(logits, label, 1, "wrong_tensor");
    add_moving_summary({mean(wrong, "train_error")});
    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor decay = regularize_cost("fc.*/W", l2_regularizer(1e-7));
    add_param_summary({{".*/W", {"histogram", "rms"}}});
    const Tensor total = identity(cost + decay, "cost");
    add_moving_summary({cost, decay, total});
    return total;
  }

  belfry::Tensor get_logits(const belfry::Tensor& image) const {
    using namespace belfry;
    const DoReFa q = get_dorefa(bits);
    RemapVariables quantized([&](const Variable& v) {
      const std::string& name = v.name();
      if (!name.ends_with("W") || name.find("conv0") != name.npos || name.find("fc") != name.npos)
        return v.seen();
      log_info("Binarizing weight {}", name);
      return q.fw(v);
    });
    auto nonlin = [&](const Tensor& x) { return bits.a == 32 ? relu(x) : clip_by_value(x, 0.0, 1.0); };
    auto activate = [&](const Tensor& x) { return q.fa(nonlin(x)); };
    ArgScope defaults(BatchNormOptions{.momentum = 0.9, .epsilon = 1e-4}, Conv2DOptions{.use_bias = false});
    const MaxPoolingOptions half{.pool = 2, .padding = "same"};

    return image | Conv2D("conv0", {.filters = 48, .kernel = 5, .padding = "valid", .use_bias = true}) |
           MaxPooling("pool0", half) | activate |  // 18
           Conv2D("conv1", {.filters = 64, .kernel = 3}) | q.fg | BatchNorm("bn1") | activate |
           Conv2D("conv2", {.filters = 64, .kernel = 3}) | q.fg | BatchNorm("bn2") |
           MaxPooling("pool1", half) | activate |  // 9
           Conv2D("conv3", {.filters = 128, .kernel = 3, .padding = "valid"}) | q.fg | BatchNorm("bn3") |
           activate |  // 7
           Conv2D("conv4", {.filters = 128, .kernel = 3}) | q.fg | BatchNorm("bn4") | activate |
           Conv2D("conv5", {.filters = 128, .kernel = 3, .padding = "valid"}) | q.fg | BatchNorm("bn5") |
           activate |  // 5
           [](const Tensor& x) { return Dropout(x, {.rate = 0.5}); } |
           Conv2D("conv6", {.filters = 512, .kernel = 5, .padding = "valid"}) | q.fg | BatchNorm("bn6") |
           nonlin | FullyConnected("fc1", {.units = 10});
  }

  std::unique_ptr<belfry::Optimizer> optimizer() override {
    using namespace belfry;
    const Tensor rate =
        exponential_decay(1e-3, get_global_step(),
                          {.decay_steps = 4721 * 100, .decay_rate = 0.5, .staircase = true}, "learning_rate");
    scalar_summary("lr", rate);
    return std::make_unique<Adam>(AdamOptions{.learning_rate = rate, .epsilon = 1e-5});
  }

  DoReFaBits bits;
};
