#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

/// GoogLeNet with BatchNorm, with two further classifiers on the way for the training. Images are floats of
/// which the mean image is subtracted.
struct InceptionBN : belfry::ModelDesc {
  int64_t image_shape = 224;

  std::vector<belfry::TensorSpec> inputs() const override {
    using namespace belfry;
    return {{"input", {kDynamic, image_shape, image_shape, 3}, kFloat32}, {"label", {kDynamic}, kInt64}};
  }

  /// The numbers of filters of one block; 0: no such branch, and a stride of 2 without `n1x1`.
  struct Filters {
    int64_t n1x1, n3x3r, n3x3, n233r, n233, pool;
  };

  static belfry::Tensor inception(const std::string& name, const belfry::Tensor& x, const Filters& n,
                                  bool max_pooling) {
    using namespace belfry;
    const int64_t stride = n.n1x1 == 0 ? 2 : 1;
    VariableScope scope(name);
    std::vector<Tensor> outs;
    if (n.n1x1 != 0) outs.push_back(Conv2D("conv1x1", x, {.filters = n.n1x1, .kernel = 1}));
    outs.push_back(x | Conv2D("conv3x3r", {.filters = n.n3x3r, .kernel = 1}) |
                   Conv2D("conv3x3", {.filters = n.n3x3, .kernel = 3, .strides = stride}));
    outs.push_back(x | Conv2D("conv233r", {.filters = n.n233r, .kernel = 1}) |
                   Conv2D("conv233a", {.filters = n.n233, .kernel = 3}) |
                   Conv2D("conv233b", {.filters = n.n233, .kernel = 3, .strides = stride}));
    Tensor pool = max_pooling ? MaxPooling("mpool", x, {.pool = 3, .strides = stride, .padding = "same"})
                              : AvgPooling("apool", x, {.pool = 3, .strides = stride, .padding = "same"});
    if (n.pool != 0) pool = Conv2D("poolproj", pool, {.filters = n.pool, .kernel = 1});
    outs.push_back(pool);
    return concat(outs, 3, "concat");
  }

  /// One of the further classifiers.
  static belfry::Tensor side_logits(const std::string& name, const belfry::Tensor& x) {
    using namespace belfry;
    return x | Conv2D(name + "conv", {.filters = 128, .kernel = 1}) |
           FullyConnected(name + "fc", {.units = 1024, .activation = relu}) |
           FullyConnected(name + "logit", {.units = 1000});
  }

  belfry::Tensor build_graph(const belfry::TowerInputs& in) override {
    using namespace belfry;
    auto [image, label] = in.get<2>();
    ArgScope defaults(Conv2DOptions{.activation = Activation(BNReLU), .use_bias = false});
    Tensor l = image / 128.0 | Conv2D("conv0", {.filters = 64, .kernel = 7, .strides = 2}) |
               MaxPooling("pool0", {.pool = 3, .strides = 2, .padding = "same"}) |
               Conv2D("conv1", {.filters = 64, .kernel = 1}) |
               Conv2D("conv2", {.filters = 192, .kernel = 3}) |
               MaxPooling("pool2", {.pool = 3, .strides = 2, .padding = "same"});
    // 28
    l = inception("incep3a", l, {64, 64, 64, 64, 96, 32}, false);
    l = inception("incep3b", l, {64, 64, 96, 64, 96, 64}, false);
    l = inception("incep3c", l, {0, 128, 160, 64, 96, 0}, true);
    const Tensor logits1 = side_logits("loss1", l);
    // 14
    l = inception("incep4a", l, {224, 64, 96, 96, 128, 128}, false);
    l = inception("incep4b", l, {192, 96, 128, 96, 128, 128}, false);
    l = inception("incep4c", l, {160, 128, 160, 128, 160, 128}, false);
    l = inception("incep4d", l, {96, 128, 192, 160, 192, 128}, false);
    l = inception("incep4e", l, {0, 128, 192, 192, 256, 0}, true);
    const Tensor logits2 = side_logits("loss2", l);
    // 7
    l = inception("incep5a", l, {352, 192, 320, 160, 224, 128}, false);
    l = inception("incep5b", l, {352, 192, 320, 192, 224, 128}, true);
    const Tensor logits = l | GlobalAvgPooling("gap") | FullyConnected("linear", {.units = 1000});
    softmax(logits, -1, "output");
    if (!label) return {};
    return total_cost(logits1, logits2, logits, label);
  }

  static belfry::Tensor total_cost(const belfry::Tensor& logits1, const belfry::Tensor& logits2,
                                   const belfry::Tensor& logits, const belfry::Tensor& label) {
    using namespace belfry;
    const Tensor loss1 = mean(sparse_softmax_cross_entropy(logits1, label), "loss1");
    const Tensor loss2 = mean(sparse_softmax_cross_entropy(logits2, label), "loss2");
    const Tensor loss3 = mean(sparse_softmax_cross_entropy(logits, label), "loss3");
    const Tensor cost = identity(loss3 + loss2 * 0.3 + loss1 * 0.3, "weighted_cost");
    add_moving_summary({cost, loss1, loss2, loss3});
    add_moving_summary({mean(not_in_top_k(logits, label, 1, "wrong-top1"), "train_error_top1"),
                        mean(not_in_top_k(logits, label, 5, "wrong-top5"), "train_error_top5")});
    const Tensor rate = exponential_decay(0.0002, get_global_step(),
                                          {.decay_steps = 80000, .decay_rate = 0.7, .staircase = true});
    const Tensor squares = regularize_cost(".*/W", [](const Tensor& w) { return l2_loss(w); });
    const Tensor decay = multiply(rate, squares, "l2_regularize_loss");
    const Tensor total = identity(cost + decay, "cost");
    add_moving_summary({decay, total});
    return total;
  }

  std::unique_ptr<belfry::Optimizer> optimizer() override {
    using namespace belfry;
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(0.045), .trainable = false});
    return std::make_unique<Momentum>(MomentumOptions{.learning_rate = rate, .momentum = 0.9});
  }
};
