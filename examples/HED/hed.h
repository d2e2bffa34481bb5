#pragma once

#include <ATen/ops/arange.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace hed {
using namespace belfry;

/// The class-balanced cross entropy of "Holistically-Nested Edge Detection" (Xie and Tu, 2015): edges and the
/// rest weigh the same. `logits` and `label`, in {0, 1}, have the same shape; without any edge it is 0.
inline Tensor class_balanced_sigmoid_cross_entropy(const Tensor& logits, const Tensor& label,
                                                   const std::string& name = "cross_entropy_loss") {
  Tensor cost;
  {
    NameScope scope("class_balanced_sigmoid_cross_entropy");
    const Tensor y = cast(label, kFloat32);
    const Tensor count_neg = sum(1.0 - y), count_pos = sum(y);
    const Tensor beta = count_neg / (count_neg + count_pos);
    // The original multiplies edges by beta / (1 - beta) and all by 1 - beta: the same, but for a gradient
    // that is no number where there is no edge.
    cost = mean((y * beta + (1.0 - y) * (1.0 - beta)) * sigmoid_cross_entropy(logits, y));
  }
  return identity(cost, name);
}

struct CaffeBilinearUpSampleOptions {
  Option<int64_t> shape = by_default(2);  ///< the factor, at least 2
};

/// Caffe's BilinearFiller: a filter [s, s, 1, 1].
inline at::Tensor bilinear_conv_filler(int64_t s) {
  const double f = std::ceil(static_cast<double>(s) / 2);
  const double c = (2 * f - 1 - std::fmod(f, 2)) / (2 * f);
  const at::Tensor side = 1 - (at::arange(s, at::kFloat) / f - c).abs();
  return at::outer(side, side).view({s, s, 1, 1});
}

inline Tensor build_caffe_bilinear_up_sample(const std::string& who, const Tensor& x,
                                             const CaffeBilinearUpSampleOptions& options) {
  if (x.rank() != 4 || x.dim(1) != 1)
    throw UsageError(fmt::format("[{}] expected images of one channel, [N, 1, H, W]", who));
  const int64_t shape = *options.shape, border = shape - 1, edge = shape * border;
  if (shape < 2) throw UsageError(fmt::format("[{}] expected a factor of 2 or more, got {}", who, shape));
  const Tensor filter = constant(bilinear_conv_filler(2 * shape), "bilinear_upsample_filter");
  const Tensor padded =
      pad(x, {{0, 0}, {0, 0}, {border, border}, {border, border}}, {.mode = PadMode::kSymmetric});
  const Tensor deconv =
      conv2d_transpose(padded, filter, {.strides = shape, .padding = "SAME", .data_format = "NCHW"});
  constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();
  return strided_slice(deconv, {0, 0, edge, edge}, {kEnd, kEnd, -edge, -edge}, {1, 1, 1, 1});
}

/// Images [N, 1, H, W] enlarged by bilinear interpolation, as Caffe's deconvolution by a "BilinearFiller"
/// does.
inline constexpr Layer<CaffeBilinearUpSampleOptions> CaffeBilinearUpSample{"CaffeBilinearUpSample",
                                                                           build_caffe_bilinear_up_sample};

/// Edges of BGR images whose sides are multiples of 16: "output1" to "output5" are the heatmaps of five
/// stages of VGG16, "output6" their weighted sum.
struct Model : ModelDesc {
  /// `nf`: channels of the first stage.
  explicit Model(int64_t nf = 64) : nf(nf) {}

  std::vector<TensorSpec> inputs() const override {
    return {{"image", {kDynamic, kDynamic, kDynamic, 3}, kFloat32},
            {"edgemap", {kDynamic, kDynamic, kDynamic}, kInt32}};
  }

  static Tensor branch(const std::string& name, const Tensor& stage, int64_t up) {
    VariableScope scope(name);
    Tensor l = Conv2D(
        "convfc", stage,
        {.filters = 1, .kernel = 1, .activation = nullptr, .kernel_initializer = constant_initializer(0)});
    for (; up != 1; up /= 2) l = CaffeBilinearUpSample(fmt::format("upsample{}", up), l, {.shape = 2});
    return l;
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [bgr, edges] = in.get<2>();
    const Tensor mean_bgr = constant(at::tensor({104.0F, 116.0F, 122.0F}));
    const Tensor image = transpose(bgr - mean_bgr, {0, 3, 1, 2});
    std::vector<Tensor> maps;  // b1 to b5, and the final map
    {
      ArgScope convolutions(Conv2DOptions{.kernel = 3, .data_format = "NCHW", .activation = relu},
                            MaxPoolingOptions{.pool = 2, .data_format = "NCHW"});
      Tensor l = image | Conv2D("conv1_1", {.filters = nf}) | Conv2D("conv1_2", {.filters = nf});
      maps.push_back(branch("branch1", l, 1));
      l = l | MaxPooling("pool1") | Conv2D("conv2_1", {.filters = 2 * nf}) |
          Conv2D("conv2_2", {.filters = 2 * nf});
      maps.push_back(branch("branch2", l, 2));
      l = l | MaxPooling("pool2") | Conv2D("conv3_1", {.filters = 4 * nf}) |
          Conv2D("conv3_2", {.filters = 4 * nf}) | Conv2D("conv3_3", {.filters = 4 * nf});
      maps.push_back(branch("branch3", l, 4));
      l = l | MaxPooling("pool3") | Conv2D("conv4_1", {.filters = 8 * nf}) |
          Conv2D("conv4_2", {.filters = 8 * nf}) | Conv2D("conv4_3", {.filters = 8 * nf});
      maps.push_back(branch("branch4", l, 8));
      l = l | MaxPooling("pool4") | Conv2D("conv5_1", {.filters = 8 * nf}) |
          Conv2D("conv5_2", {.filters = 8 * nf}) | Conv2D("conv5_3", {.filters = 8 * nf});
      maps.push_back(branch("branch5", l, 16));
      maps.push_back(Conv2D("convfcweight", concat(maps, 1),
                            {.filters = 1,
                             .kernel = 1,
                             .activation = nullptr,
                             .use_bias = false,
                             .kernel_initializer = constant_initializer(0.2)}));
    }

    Tensor output;
    for (size_t i = 0; i < maps.size(); ++i) {
      maps[i] = transpose(maps[i], {0, 2, 3, 1});
      output = sigmoid(maps[i], fmt::format("output{}", i + 1));
    }
    const Tensor pred = cast(output > 0.5, kInt32, "prediction");  // some magic threshold
    if (!edges) return {};

    const Tensor edgemap = expand_dims(edges, 3, "edgemap4d");
    std::vector<Tensor> costs;
    for (size_t i = 0; i < maps.size(); ++i) {
      costs.push_back(
          class_balanced_sigmoid_cross_entropy(maps[i], edgemap, fmt::format("xentropy{}", i + 1)));
    }
    const Tensor wrong = mean(cast(not_equal(pred, edgemap), kFloat32), "train_error");
    const Tensor wd_w = exponential_decay(2e-4, get_global_step(),
                                          {.decay_steps = 80000, .decay_rate = 0.7, .staircase = true});
    costs.push_back(multiply(wd_w, regularize_cost(".*/W", l2_regularizer(1)), "wd_cost"));
    add_param_summary({{".*/W", {"histogram"}}});
    const Tensor total_cost = add_n(costs, "cost");
    add_moving_summary({wrong, total_cost});
    add_moving_summary(costs);
    return total_cost;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable lr =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(3e-5), .trainable = false});
    return apply_grad_processors(std::make_unique<Adam>(AdamOptions{.learning_rate = lr, .epsilon = 1e-3}),
                                 ScaleGradient({{"convfcweight.*", 0.1}, {"conv5_.*", 5}}));
  }

  int64_t nf;
};

}  // namespace hed
