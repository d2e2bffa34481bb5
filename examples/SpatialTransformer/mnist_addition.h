#pragma once

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <memory>
#include <vector>

#include "belfry/belfry.h"

namespace mnist_addition {
using namespace belfry;

constexpr int64_t kImageSize = 42, kWarpTargetSize = 28, kHalfDiff = (kImageSize - kWarpTargetSize) / 2;

/// The pixels of `img` [b, h, w, c] at `coords` [b, h2, w2, 2], whole numbers (y, x); those outside are moved
/// to the border.
inline Tensor sample(const Tensor& img, const Tensor& coords) {
  const Tensor y = clip_by_value(select(coords, 0, 3), 0, img.dim(1) - 1);
  const Tensor x = clip_by_value(select(coords, 1, 3), 0, img.dim(2) - 1);
  const Tensor row = cast(y, kInt64), column = cast(x, kInt64);
  const Tensor batch_index = cumsum(ones_like(row), 0) - 1;
  return gather_nd(img, stack({batch_index, row, column}, 3));
}

/// Samples `image` [b, h, w, c] at `coords` [b, h2, w2, 2], (y, x), by bilinear interpolation: [b, h2, w2,
/// c]. The pixel (1, 1) is at (1.0, 1.0); outside of the image there are zeros.
inline Tensor grid_sample(const std::string& name, const Tensor& image, const Tensor& coords) {
  NameScope scope(name);
  const Tensor mapping = maximum(coords, 0.0);
  const Tensor lcoor = floor(mapping), ucoor = lcoor + 1;
  const Tensor diff = mapping - lcoor, neg_diff = 1.0 - diff;
  const auto l = split(lcoor, 2, 3), u = split(ucoor, 2, 3), d = split(diff, 2, 3), n = split(neg_diff, 2, 3);
  const Tensor sampled = add_n({sample(image, lcoor) * n[1] * n[0], sample(image, ucoor) * d[1] * d[0],
                                sample(image, concat({l[0], u[1]}, 3)) * n[0] * d[1],
                                sample(image, concat({u[0], l[1]}, 3)) * d[0] * n[1]},
                               "sampled");
  const auto yx = split(coords, 2, 3);
  const double bottom = static_cast<double>(image.dim(1) - 1), right = static_cast<double>(image.dim(2) - 1);
  const Tensor inside =
      logical_and(logical_and(yx[0] >= 0.0, yx[0] <= bottom), logical_and(yx[1] >= 0.0, yx[1] <= right));
  return identity(sampled * cast(inside, kFloat32), "output");
}

/// Two digits, one in each channel, each distorted: their sum. Two spatial transformers find one each.
struct Model : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{"input", {kDynamic, kImageSize, kImageSize, 2}, kFloat32}, {"label", {kDynamic}, kInt32}};
  }

  static Tensor get_stn(const std::string& name, const Tensor& image) {
    VariableScope scope(name);
    const at::Tensor whole =
        at::tensor({1, 0, static_cast<int>(kHalfDiff), 0, 1, static_cast<int>(kHalfDiff)}, at::kFloat);
    const Tensor parameters = image | AvgPooling("downsample", {.pool = 2}) |
                              Conv2D("conv0", {.filters = 20, .kernel = 5, .padding = "valid"}) |
                              MaxPooling("pool0", {.pool = 2}) |
                              Conv2D("conv1", {.filters = 20, .kernel = 5, .padding = "valid"}) |
                              FullyConnected("fc1", {.units = 32}) |
                              FullyConnected("fct", {.units = 6,
                                                     .activation = nullptr,
                                                     .kernel_initializer = zeros_initializer(),
                                                     .bias_initializer = constant_initializer(whole)});
    const Tensor affine = reshape(parameters, {-1, 2, 3}, "affine");
    const Tensor columns = reshape(transpose(affine, {2, 0, 1}), {3, -1});  // 3 x (bx2)

    at::Tensor xys = at::empty({kWarpTargetSize * kWarpTargetSize, 3});
    auto at_place = xys.accessor<float, 2>();
    for (int64_t i = 0; i < xys.size(0); ++i) {
      at_place[i][0] = static_cast<float>(i / kWarpTargetSize);
      at_place[i][1] = static_cast<float>(i % kWarpTargetSize);
      at_place[i][2] = 1;
    }
    const Tensor coor =
        transpose(reshape(matmul(constant(xys, "xys"), columns), {kWarpTargetSize, kWarpTargetSize, -1, 2}),
                  {2, 0, 1, 3},
                  "sampled_coords");  // b h w 2
    return grid_sample("warp", image, coor);
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [input, label] = in.get<2>();
    const Tensor image = input / 255.0 - 0.5;
    Tensor sampled1, sampled2;
    {
      ArgScope convolutions(Conv2DOptions{.activation = relu});
      ArgScope fully_connected(FullyConnectedOptions{.activation = relu});
      sampled1 = get_stn("STN1", image);
      sampled2 = get_stn("STN2", image);
    }
    {
      NameScope scope("visualization");
      auto one_below_the_other = [](const Tensor& x) {
        return concat({select(x, 0, 3), select(x, 1, 3)}, 1);  // b x 2h x w
      };
      auto padded = [](const Tensor& x) {
        return pad(x, {{0, 0}, {kHalfDiff, kHalfDiff}, {kHalfDiff, kHalfDiff}, {0, 0}});
      };
      const Tensor stacked = concat({one_below_the_other(image), one_below_the_other(padded(sampled1)),
                                     one_below_the_other(padded(sampled2))},
                                    2, "viz");
      ImageSummaryOptions thirty;
      thirty.max_images = 30;
      image_summary("visualize", expand_dims(stacked, -1), thirty);
    }

    const Tensor logits = concat({sampled1, sampled2}, 3, "sampled_concat") |
                          FullyConnected("fc1", {.units = 256, .activation = relu}) |
                          FullyConnected("fc2", {.units = 128, .activation = relu}) |
                          FullyConnected("fct", {.units = 19});
    softmax(logits, -1, "prob");
    if (!label) return {};

    const Tensor cost = mean(sparse_softmax_cross_entropy(logits, label), "cross_entropy_loss");
    const Tensor wrong = not_in_top_k(logits, label, 1, "incorrect_vector");
    const Tensor wd_cost = regularize_cost("fc.*/W", l2_regularizer(1e-5), "regularize_loss");
    add_moving_summary({mean(wrong, "train_error"), cost, wd_cost});
    return add_n({wd_cost, cost}, "cost");
  }

  std::unique_ptr<Optimizer> optimizer() override {
    const Variable rate =
        get_variable("learning_rate", {}, {.initializer = constant_initializer(5e-4), .trainable = false});
    return apply_grad_processors(std::make_unique<Adam>(AdamOptions{.learning_rate = rate, .epsilon = 1e-3}),
                                 ScaleGradient({{"STN.*", 0.1}}), SummaryGradient());
  }
};

}  // namespace mnist_addition
