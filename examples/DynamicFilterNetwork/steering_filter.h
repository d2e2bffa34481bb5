#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/full.h>
#include <ATen/ops/outer.h>

#include <cmath>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "belfry/belfry.h"

namespace steering_filter {
using namespace belfry;

constexpr int64_t kBatch = 32, kShape = 64, kKernelSize = 9;

struct DynamicConvFilterOptions {
  Option<int64_t> out_channel = {};   ///< required
  Option<int64_t> kernel_shape = {};  ///< height and width; required
  Option<Size2D> stride = by_default(1);
  Option<std::string> padding = by_default("SAME");
};

inline std::vector<Tensor> build_dynamic_conv_filter(const std::string& who, const std::vector<Tensor>& in,
                                                     const DynamicConvFilterOptions& options) {
  const int64_t k = required_option(who, "kernel_shape", options.kernel_shape);
  const int64_t out_channel = required_option(who, "out_channel", options.out_channel);
  const Tensor inputs = in[0];
  if (inputs.rank() != 4 || inputs.dim(0) == kDynamic)
    throw UsageError(
        fmt::format("[{}] expected images of a static batch size, got {}", who, describe(inputs)));
  const int64_t batch = inputs.dim(0), h = inputs.dim(1), w = inputs.dim(2), in_channel = inputs.dim(3);
  // One convolution: each sample is a group of channels, with filters of its own.
  const Tensor samples = reshape(transpose(inputs, {1, 2, 0, 3}), {1, h, w, batch * in_channel});
  const Tensor filters = transpose(reshape(in[1], {batch, k, k, in_channel, out_channel}), {1, 2, 3, 0, 4});
  const Tensor outputs = conv2d(samples, reshape(filters, {k, k, in_channel, batch * out_channel}),
                                {.strides = *options.stride, .padding = *options.padding, .groups = batch});
  const Tensor apart = reshape(outputs, {outputs.dim(1), outputs.dim(2), batch, out_channel});
  return {transpose(apart, {2, 0, 1, 3})};
}
/// Of {inputs [b, h, w, in_channel], filters}: each input convolved with filters of its own, which the
/// network makes: [b, ...] of k * k * in_channel * out_channel numbers in that order. See "Dynamic Filter
/// Networks" (NIPS 2016) by De Brabandere, Jia, Tuytelaars and Van Gool. Throws UsageError where a size is
/// not static.
inline constexpr MultiLayer<DynamicConvFilterOptions> DynamicConvFilter{"DynamicConvFilter",
                                                                        build_dynamic_conv_filter};

/// The derivative of a Gaussian in the direction `theta`, in radians: float32 [filter_size, filter_size].
inline at::Tensor get_filter(double theta, double sigma = 1, int64_t filter_size = kKernelSize) {
  const int64_t half = filter_size / 2;
  const at::Tensor x = at::arange(-half, half + 1, at::kDouble);
  const at::Tensor g = (-x.square() / (2 * sigma * sigma)).exp();
  const at::Tensor gp = -(x / sigma) * g;
  const at::Tensor gt_filter = at::outer(g, gp);
  return (std::cos(theta) * gt_filter + std::sin(theta) * gt_filter.t()).to(at::kFloat);
}

/// `image` [h, w] correlated with `filter`, zeros around it. W. T. Freeman and E. H. Adelson, "The Design and
/// Use of Steerable Filters", 1991, do the same by two pairs of one-dimensional filters.
inline at::Tensor filter_image(const at::Tensor& image, const at::Tensor& filter) {
  return at::conv2d(image.to(at::kFloat).unsqueeze(0).unsqueeze(0), filter.unsqueeze(0).unsqueeze(0),
                    /*bias=*/{}, /*stride=*/1, /*padding=*/filter.size(0) / 2)[0][0];
}

/// Of gray images [h, w] in the first component: {theta, image, filtered image, filter}, at a random angle.
struct ThetaImages : MapData {
  explicit ThetaImages(AnyDataFlow ds) : MapData(std::move(ds), add_filter) {}

  static Datapoint add_filter(const Datapoint& dp, Rng& rng) {
    const double theta = rng.uniform() * 2 * std::numbers::pi;
    const at::Tensor gt_filter = get_filter(theta);
    return {at::full({}, theta, at::kFloat), dp[0].to(at::kFloat), filter_image(dp[0], gt_filter), gt_filter};
  }
};

/// Learns which filter turned `image` into `gt_image`, of the angle alone.
struct Model : ModelDesc {
  std::vector<TensorSpec> inputs() const override {
    return {{"theta", {kBatch}, kFloat32},
            {"image", {kBatch, kShape, kShape}, kFloat32},
            {"gt_image", {kBatch, kShape, kShape}, kFloat32},
            {"gt_filter", {kBatch, kKernelSize, kKernelSize}, kFloat32}};
  }

  /// Filters [B, k, k, 1] for angles [B, 1, 1, 1].
  static Tensor parameter_net(const Tensor& theta, int64_t kernel_shape = kKernelSize) {
    auto leaky = [](const Tensor& x) { return leaky_relu(x); };
    const Tensor net = theta | FullyConnected("fc1", {.units = 64, .activation = leaky}) |
                       FullyConnected("fc2", {.units = 128, .activation = leaky}) |
                       FullyConnected("fc3", {.units = kernel_shape * kernel_shape});
    return reshape(net, {kBatch, kernel_shape, kernel_shape, 1}, "pred_filter");
  }

  Tensor build_graph(const TowerInputs& in) override {
    auto [theta, image, gt_image, gt_filter] = in.get<4>();
    const Tensor pred_filter =
        parameter_net(reshape(theta, {kBatch, 1, 1, 1}) - std::numbers::pi, kKernelSize);
    if (!image) return {};
    image = expand_dims(image, 3);
    const Tensor pred_image =
        DynamicConvFilter("dfn", {image, pred_filter}, {.out_channel = 1, .kernel_shape = kKernelSize})[0];
    if (!gt_image) return {};
    gt_image = expand_dims(gt_image, 3);

    Tensor filters, images;
    {
      NameScope scope("visualization");
      filters = concat({pred_filter, expand_dims(gt_filter, 3)}, 2, "filters");
      images = concat({pred_image, gt_image}, 2, "images");
    }
    image_summary("pred_gt_filters", filters, {{}, 20});
    image_summary("pred_gt_images", images, {{}, 20});

    const Tensor cost = mean(squared_difference(pred_image, gt_image), "cost");
    add_moving_summary({cost});
    return cost;
  }

  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(AdamOptions{.learning_rate = 1e-3});
  }
};

}  // namespace steering_filter
