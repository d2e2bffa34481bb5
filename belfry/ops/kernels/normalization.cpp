#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/batch_norm_update_stats.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/hardtanh_backward.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/native_batch_norm.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/threshold_backward.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <initializer_list>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "belfry/graph/below_autograd.h"
#include "belfry/ops/internal/image.h"
#include "belfry/ops/internal/many_values.h"

// TensorFlow's normalisations on ATen's kernels, whose images are NCHW: views, no copies. Three things are
// put in another way than ATen's, for exact results: statistics of long columns (sums of many float32),
// groups far from zero (centred first), and gradients by given statistics (formed of operators that have
// them).
namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

void check_channels(std::initializer_list<std::pair<const char*, const OptionalTensor*>> tensors,
                    int64_t channels) {
  for (const auto& [name, tensor] : tensors) {
    TORCH_CHECK(!*tensor || ((*tensor)->dim() == 1 && (*tensor)->size(0) == channels), "expected ", name,
                " [", channels, "], got ", (*tensor)->sizes());
  }
}

at::TensorOptions statistics_options(const Tensor& x, const OptionalTensor& scale) {
  if (scale) return scale->options();
  return x.options().dtype(at::isReducedFloatingType(x.scalar_type()) ? at::kFloat : x.scalar_type());
}

/// Mean and variance by column of dense [rows, columns].
std::pair<Tensor, Tensor> column_statistics(const Tensor& x) {
  auto [mean, variance] = at::batch_norm_update_stats(x, {}, {}, /*momentum=*/0);
  return {mean.to(at::kDouble), variance.to(at::kDouble)};
}

/// As above, of as many rows as one would like. ATen adds up the rows of a column one by one, so here each
/// column is cut in `parts`, as if they were columns of their own, and what remains of the rows follows.
std::pair<Tensor, Tensor> long_column_statistics(const Tensor& x) {
  constexpr int64_t kRowsOfPart = 4096;
  const int64_t rows = x.size(0), columns = x.size(1), parts = rows / kRowsOfPart;
  const int64_t even = rows / parts * parts;
  auto [means, variances] = column_statistics(x.narrow(0, 0, even).reshape({even / parts, parts * columns}));
  means = means.reshape({parts, columns});
  const double share = static_cast<double>(even) / static_cast<double>(rows);
  Tensor mean = means.mean(0);
  Tensor variance = (variances.reshape({parts, columns}) + (means - mean).square()).mean(0);
  if (even < rows) {
    const auto [rest_mean, rest_variance] = column_statistics(x.narrow(0, even, rows - even));
    const Tensor difference = rest_mean - mean;
    mean = mean + difference * (1 - share);
    variance = variance * share + rest_variance * (1 - share) + difference.square() * (share * (1 - share));
  }
  return {mean, variance};
}

/// Normalises NHWC memory seen as NCHW by statistics of long columns; gives the biased variance.
struct LongBatchNorm : torch::autograd::Function<LongBatchNorm> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context, const Tensor& x,
                                                const OptionalTensor& scale, const OptionalTensor& offset,
                                                double epsilon) {
    const BelowAutograd below;
    const Tensor columns = x.dim() == 2 ? x : x.movedim(1, -1).reshape({-1, x.size(1)});
    const auto [mean, variance] = long_column_statistics(columns);
    const auto options = statistics_options(x, scale);
    const Tensor kept_mean = mean.to(options), kept_variance = variance.to(options);
    const Tensor inverse = at::rsqrt(variance + epsilon).to(options);
    const Tensor y = std::get<0>(at::native_batch_norm(x, scale, offset, kept_mean, kept_variance,
                                                       /*training=*/false, /*momentum=*/0, epsilon));
    context->save_for_backward({x, scale.value_or(Tensor()), kept_mean, inverse});
    context->saved_data["epsilon"] = epsilon;
    context->mark_non_differentiable({kept_mean, kept_variance});
    return {y, kept_mean, kept_variance};
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const OptionalTensor scale = saved[1].defined() ? OptionalTensor(saved[1]) : OptionalTensor();
    const auto [dx, dscale, doffset] = at::native_batch_norm_backward(
        gradients[0], saved[0], scale, {}, {}, saved[2], saved[3], /*train=*/true,
        context->saved_data["epsilon"].toDouble(), {true, scale.has_value(), true});
    return {dx, dscale, doffset, {}};
  }
};

/// True where ATen would take NHWC memory in its order and lose digits.
bool has_long_columns(const Tensor& x, int64_t count) {
  const bool nhwc = x.dim() == 2 || (x.dim() > 2 && x.movedim(1, -1).is_contiguous());
  return x.is_cpu() && x.scalar_type() == at::kFloat && x.size(1) > 1 && nhwc &&
         x.is_non_overlapping_and_dense() && count > 2 * 8192;
}

std::tuple<Tensor, Tensor, Tensor> batch_norm_training(const Tensor& input, const OptionalTensor& scale,
                                                       const OptionalTensor& offset, double epsilon,
                                                       bool unbiased_variance, std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  const int64_t channels = x.size(1);
  check_channels({{"scale", &scale}, {"offset", &offset}}, channels);
  const int64_t count = channels == 0 ? 0 : x.numel() / channels;
  TORCH_CHECK(count > 0, "expected a batch of at least one element, got ", input.sizes());
  if (has_long_columns(x, count)) {
    const auto results = LongBatchNorm::apply(x, scale, offset, epsilon);
    const double correction = static_cast<double>(count) / static_cast<double>(count - 1);
    return {internal::channels_restored(results[0], data_format), results[1],
            unbiased_variance ? results[2] * correction : results[2]};
  }
  // With a momentum of 1 the moving averages that the kernel updates become the batch's own statistics, which
  // it otherwise gives only as 1 / sqrt(variance + epsilon).
  Tensor mean = at::zeros({channels}, statistics_options(x, scale));
  Tensor variance = at::zeros({channels}, statistics_options(x, scale));
  const Tensor y = std::get<0>(
      at::native_batch_norm(x, scale, offset, mean, variance, /*training=*/true, /*momentum=*/1.0, epsilon));
  if (count == 1) {
    variance = at::zeros({channels}, variance.options());
  } else if (!unbiased_variance) {
    variance = variance * (static_cast<double>(count - 1) / static_cast<double>(count));
  }
  return {internal::channels_restored(y, data_format), mean, variance};
}

std::tuple<Tensor, Tensor, Tensor> batch_norm_training_meta(const Tensor& input, const OptionalTensor& scale,
                                                            const OptionalTensor& offset, double, bool,
                                                            std::string_view data_format) {
  const int64_t channels = internal::channels_second(input, data_format).size(1);
  check_channels({{"scale", &scale}, {"offset", &offset}}, channels);
  const auto options = statistics_options(input, scale);
  return {at::empty_like(input), at::empty({channels}, options), at::empty({channels}, options)};
}

/// The gradients of batch_norm_training's y by input, scale and offset, from the batch's own statistics.
std::tuple<Tensor, Tensor, Tensor> batch_norm_training_backprop(const Tensor& gradient, const Tensor& input,
                                                                const OptionalTensor& scale,
                                                                const Tensor& mean, const Tensor& variance,
                                                                double epsilon, bool unbiased_variance,
                                                                std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  const Tensor dy = internal::channels_second(gradient, data_format);
  const double count = static_cast<double>(x.numel() / x.size(1));
  const double bias = unbiased_variance && count > 1 ? (count - 1) / count : 1;
  const Tensor inverse = at::rsqrt(variance * bias + epsilon);
  auto [dx, dscale, doffset] = at::native_batch_norm_backward(dy, x, scale, {}, {}, mean, inverse,
                                                              /*train=*/true, epsilon, {true, true, true});
  return {internal::channels_restored(dx, data_format), dscale, doffset};
}

std::tuple<Tensor, Tensor, Tensor> batch_norm_training_backprop_meta(const Tensor& gradient, const Tensor&,
                                                                     const OptionalTensor&,
                                                                     const Tensor& mean,
                                                                     const Tensor& variance, double, bool,
                                                                     std::string_view) {
  return {at::empty_like(gradient), at::empty_like(mean), at::empty_like(variance)};
}

/// As batch_norm_training, with a relu behind it, up to `limit` where there is one, and its gradients by
/// input, scale and offset.
std::tuple<Tensor, Tensor, Tensor> batch_norm_relu_training(const Tensor& input, const OptionalTensor& scale,
                                                            const OptionalTensor& offset, double epsilon,
                                                            bool unbiased_variance,
                                                            std::string_view data_format,
                                                            std::optional<double> limit) {
  auto [y, mean, variance] =
      batch_norm_training(input, scale, offset, epsilon, unbiased_variance, data_format);
  return {limit ? y.clamp(0, *limit) : y.relu(), mean, variance};
}

std::tuple<Tensor, Tensor, Tensor> batch_norm_relu_training_backprop(
    const Tensor& gradient, const Tensor& input, const OptionalTensor& scale, const OptionalTensor& offset,
    const Tensor& mean, const Tensor& variance, double epsilon, bool unbiased_variance,
    std::string_view data_format, std::optional<double> limit) {
  const Tensor y =
      std::get<0>(batch_norm_training(input, scale, offset, epsilon, unbiased_variance, data_format));
  const Tensor by_y =
      limit ? at::hardtanh_backward(gradient, y, 0, *limit) : at::threshold_backward(gradient, y, 0);
  return batch_norm_training_backprop(by_y, input, scale, mean, variance, epsilon, unbiased_variance,
                                      data_format);
}

std::tuple<Tensor, Tensor, Tensor> batch_norm_relu_training_meta(
    const Tensor& input, const OptionalTensor& scale, const OptionalTensor& offset, double epsilon,
    bool unbiased_variance, std::string_view data_format, std::optional<double>) {
  return batch_norm_training_meta(input, scale, offset, epsilon, unbiased_variance, data_format);
}
std::tuple<Tensor, Tensor, Tensor> batch_norm_relu_training_backprop_meta(
    const Tensor& gradient, const Tensor&, const OptionalTensor&, const OptionalTensor&, const Tensor& mean,
    const Tensor& variance, double, bool, std::string_view, std::optional<double>) {
  return {at::empty_like(gradient), at::empty_like(mean), at::empty_like(variance)};
}

/// Formed of operators that have gradients by everything.
Tensor normalized_by(const Tensor& x, const Tensor& mean, const Tensor& variance, const OptionalTensor& scale,
                     const OptionalTensor& offset, double epsilon) {
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()), 1);
  sizes[1] = x.size(1);
  const Tensor inverse = at::rsqrt(variance + epsilon);
  const Tensor y = (x - mean.reshape(sizes)) * (scale ? inverse * *scale : inverse).reshape(sizes);
  return offset ? y + offset->reshape(sizes) : y;
}

Tensor batch_norm(const Tensor& input, const Tensor& mean, const Tensor& variance,
                  const OptionalTensor& scale, const OptionalTensor& offset, double epsilon,
                  std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  // ATen reads beyond the end of statistics of fewer channels.
  const OptionalTensor given_mean = mean, given_variance = variance;
  check_channels(
      {{"mean", &given_mean}, {"variance", &given_variance}, {"scale", &scale}, {"offset", &offset}},
      x.size(1));
  if (at::GradMode::is_enabled() && (mean.requires_grad() || variance.requires_grad())) {
    // ATen's operator takes its statistics for constants.
    return internal::channels_restored(
        normalized_by(x, mean, variance, scale, offset, epsilon).to(x.scalar_type()), data_format);
  }
  const Tensor y = std::get<0>(at::native_batch_norm(x, scale, offset, mean, variance, /*training=*/false,
                                                     /*momentum=*/0.0, epsilon));
  return internal::channels_restored(y, data_format);
}

Tensor batch_norm_meta(const Tensor& input, const Tensor& mean, const Tensor& variance,
                       const OptionalTensor& scale, const OptionalTensor& offset, double,
                       std::string_view data_format) {
  const OptionalTensor given_mean = mean, given_variance = variance;
  check_channels(
      {{"mean", &given_mean}, {"variance", &given_variance}, {"scale", &scale}, {"offset", &offset}},
      internal::channels_second(input, data_format).size(1));
  return at::empty_like(input);
}

void check_groups(const Tensor& x, int64_t groups, const OptionalTensor& scale,
                  const OptionalTensor& offset) {
  TORCH_CHECK(groups > 0 && x.size(1) % groups == 0, "expected channels that ", groups,
              " groups divide, got ", x.size(1));
  check_channels({{"scale", &scale}, {"offset", &offset}}, x.size(1));
}

/// An NCHW view less the mean of each group, which ATen's kernel needs to be near 0: it forms the variance as
/// E[x^2] - E[x]^2, and the gradient from sums of like size. To the gradient the mean is a constant, as a
/// shift of a group makes no difference to the result.
Tensor centred(const Tensor& x, int64_t groups) {
  const Tensor grouped = x.unflatten(1, {groups, x.size(1) / groups});
  std::vector<int64_t> axes(static_cast<size_t>(grouped.dim()) - 2);
  std::iota(axes.begin(), axes.end(), 2);
  return (grouped - grouped.detach().mean(axes, /*keepdim=*/true)).flatten(1, 2);
}

Tensor group_norm(const Tensor& input, const OptionalTensor& scale, const OptionalTensor& offset,
                  int64_t groups, double epsilon, std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  check_groups(x, groups, scale, offset);
  if (x.numel() == 0) {
    return internal::channels_restored(at::group_norm(x, groups, scale, offset, epsilon), data_format);
  }
  const at::ScalarType dtype = x.scalar_type();
  const auto precise = [&](const OptionalTensor& tensor) {
    const bool widen = tensor && at::isReducedFloatingType(dtype);
    return widen ? OptionalTensor(tensor->to(at::kFloat)) : tensor;
  };
  const Tensor y =
      at::group_norm(centred(*precise(x), groups), groups, precise(scale), precise(offset), epsilon);
  return internal::channels_restored(y.to(dtype), data_format);
}

Tensor group_norm_meta(const Tensor& input, const OptionalTensor& scale, const OptionalTensor& offset,
                       int64_t groups, double, std::string_view data_format) {
  check_groups(internal::channels_second(input, data_format), groups, scale, offset);
  return at::empty_like(input);
}

/// An NHWC or NCHW tensor as float64 [batch, channels, pixels].
Tensor as_planes(const Tensor& x, std::string_view data_format) {
  const Tensor planes = internal::channels_second(x, data_format);
  return planes.to(at::kDouble)
      .reshape({x.size(0), planes.size(1), x.numel() / (x.size(0) * planes.size(1))});
}

/// As group_norm, of a tensor with elements, with the mean and 1 / sqrt(variance + epsilon) of each group of
/// each sample in float64.
std::tuple<Tensor, Tensor, Tensor> group_norm_with_statistics(const Tensor& input,
                                                              const OptionalTensor& scale,
                                                              const OptionalTensor& offset, int64_t groups,
                                                              double epsilon, std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  check_groups(x, groups, scale, offset);
  const Tensor planes = as_planes(input, data_format);
  const Tensor grouped = planes.reshape({planes.size(0), groups, -1});
  const Tensor mean = grouped.mean(-1, /*keepdim=*/true), centred = grouped - mean;
  const Tensor inverse = at::rsqrt(centred.square().mean(-1, /*keepdim=*/true) + epsilon);
  Tensor y = (centred * inverse).reshape(planes.sizes());
  if (scale) y = y * scale->to(at::kDouble).reshape({-1, 1});
  if (offset) y = y + offset->to(at::kDouble).reshape({-1, 1});
  return {internal::channels_restored(y.reshape(x.sizes()), data_format).to(input.scalar_type()),
          mean.squeeze(-1), inverse.squeeze(-1)};
}

std::tuple<Tensor, Tensor, Tensor> group_norm_with_statistics_meta(const Tensor& input,
                                                                   const OptionalTensor& scale,
                                                                   const OptionalTensor& offset,
                                                                   int64_t groups, double,
                                                                   std::string_view data_format) {
  check_groups(internal::channels_second(input, data_format), groups, scale, offset);
  const auto options = input.options().dtype(at::kDouble);
  return {at::empty(input.sizes(), input.options()), at::empty({input.size(0), groups}, options),
          at::empty({input.size(0), groups}, options)};
}

/// The gradients of its y by input, scale and offset.
std::tuple<Tensor, Tensor, Tensor> group_norm_backprop(const Tensor& gradient, const Tensor& input,
                                                       const OptionalTensor& scale, const Tensor& mean,
                                                       const Tensor& inverse, int64_t groups,
                                                       std::string_view data_format) {
  const Tensor x = as_planes(input, data_format), dy = as_planes(gradient, data_format);
  const auto grouped = [&](const Tensor& tensor) { return tensor.reshape({x.size(0), groups, -1}); };
  const Tensor factor = inverse.unsqueeze(-1);
  const Tensor normalized = (grouped(x) - mean.unsqueeze(-1)) * factor;
  const Tensor g = grouped(scale ? dy * scale->to(at::kDouble).reshape({-1, 1}) : dy);
  const Tensor dx = factor * (g - g.mean(-1, true) - normalized * (g * normalized).mean(-1, true));
  const auto options = statistics_options(input, scale);
  const auto by_channel = [&](const Tensor& planes) { return planes.sum(IntArrayRef({0, 2})).to(options); };
  const Tensor image = dx.reshape(internal::channels_second(input, data_format).sizes());
  return {internal::channels_restored(image, data_format).to(input.scalar_type()),
          by_channel(dy * normalized.reshape(dy.sizes())), by_channel(dy)};
}

std::tuple<Tensor, Tensor, Tensor> group_norm_backprop_meta(const Tensor&, const Tensor& input,
                                                            const OptionalTensor& scale, const Tensor&,
                                                            const Tensor&, int64_t,
                                                            std::string_view data_format) {
  const int64_t channels = internal::channels_second(input, data_format).size(1);
  const auto options = statistics_options(input, scale);
  return {at::empty(input.sizes(), input.options()), at::empty({channels}, options),
          at::empty({channels}, options)};
}

Tensor l2_normalize(const Tensor& x, int64_t axis, double epsilon) {
  return x * at::rsqrt(x.square().sum(axis, /*keepdim=*/true).clamp_min(epsilon));
}

/// By channel, of those not further away.
Tensor sum_around(const Tensor& x, int64_t depth_radius) {
  const int64_t radius = std::min(depth_radius, x.size(-1));  // beyond there is nothing to sum
  return at::constant_pad_nd(x, {radius, radius}).unfold(-1, 2 * radius + 1, 1).sum(-1);
}

Tensor local_response_normalization(const Tensor& x, int64_t depth_radius, double bias, double alpha,
                                    double beta) {
  TORCH_CHECK(x.dim() > 0 && depth_radius >= 0, "expected channels and a radius of at least 0, got ",
              x.sizes(), " and ", depth_radius);
  return x * (sum_around(x.square(), depth_radius) * alpha + bias).pow(-beta);
}

Tensor local_response_normalization_backprop(const Tensor& gradient, const Tensor& x, int64_t depth_radius,
                                             double bias, double alpha, double beta) {
  const Tensor base = sum_around(x.square(), depth_radius) * alpha + bias;
  const Tensor factor = base.pow(-beta);
  return gradient * factor - x * sum_around(gradient * x * factor / base, depth_radius) * (2 * alpha * beta);
}
Tensor local_response_normalization_backprop_meta(const Tensor&, const Tensor& x, int64_t, double, double,
                                                  double) {
  return at::empty_like(x, at::MemoryFormat::Contiguous);
}

Tensor bias_add(const Tensor& x, const Tensor& bias, std::string_view data_format) {
  const bool nhwc = internal::is_nhwc(data_format);
  TORCH_CHECK(x.dim() >= 2, "expected an input of at least 2 dimensions, got ", x.sizes());
  const int64_t channels = x.size(nhwc ? -1 : 1);
  TORCH_CHECK(bias.dim() == 1 && bias.size(0) == channels, "expected a bias [", channels, "], got ",
              bias.sizes());
  if (nhwc || x.dim() == 2) return x + bias;
  std::vector<int64_t> sizes(static_cast<size_t>(x.dim()) - 1, 1);
  sizes[0] = channels;
  return x + bias.reshape(sizes);
}

Tensor clip_by_norm(const Tensor& x, double max_norm) {
  TORCH_CHECK(max_norm > 0, "expected a positive norm, got ", max_norm);
  return x * (max_norm / internal::norm_of_all(x).clamp_min(max_norm));
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "batch_norm_training(Tensor input, Tensor? scale, Tensor? offset, *, float epsilon=1e-5, "
      "bool unbiased_variance=False, str data_format='NHWC') -> (Tensor, Tensor, Tensor)",
      batch_norm_training);
  m.def(
      "batch_norm(Tensor input, Tensor mean, Tensor variance, Tensor? scale, Tensor? offset, *, "
      "float epsilon=1e-5, str data_format='NHWC') -> Tensor",
      batch_norm);
  m.def(
      "group_norm(Tensor input, Tensor? scale, Tensor? offset, *, int groups=32, float epsilon=1e-5, "
      "str data_format='NHWC') -> Tensor",
      group_norm);
  m.def(
      "batch_norm_training_backprop(Tensor gradient, Tensor input, Tensor? scale, Tensor mean, Tensor "
      "variance, "
      "*, float epsilon, bool unbiased_variance, str data_format='NHWC') -> (Tensor, Tensor, Tensor)",
      batch_norm_training_backprop);
  m.def(
      "batch_norm_relu_training(Tensor input, Tensor? scale, Tensor? offset, *, float epsilon, "
      "bool unbiased_variance, str data_format='NHWC', float? limit=None) -> (Tensor, Tensor, Tensor)",
      batch_norm_relu_training);
  m.def(
      "batch_norm_relu_training_backprop(Tensor gradient, Tensor input, Tensor? scale, Tensor? offset, "
      "Tensor mean, Tensor variance, *, float epsilon, bool unbiased_variance, str data_format='NHWC', "
      "float? limit=None) -> (Tensor, Tensor, Tensor)",
      batch_norm_relu_training_backprop);
  m.def("l2_normalize(Tensor x, *, int axis, float epsilon=1e-12) -> Tensor", l2_normalize);
  m.def(
      "local_response_normalization(Tensor x, *, int depth_radius=5, float bias=1, float alpha=1, "
      "float beta=0.5) -> Tensor",
      local_response_normalization);
  m.def(
      "local_response_normalization_backprop(Tensor gradient, Tensor x, *, int depth_radius, float bias, "
      "float alpha, float beta) -> Tensor",
      local_response_normalization_backprop);
  m.def(
      "group_norm_with_statistics(Tensor input, Tensor? scale, Tensor? offset, *, int groups, float epsilon, "
      "str data_format='NHWC') -> (Tensor, Tensor, Tensor)",
      group_norm_with_statistics);
  m.def(
      "group_norm_backprop(Tensor gradient, Tensor input, Tensor? scale, Tensor mean, Tensor inverse, *, "
      "int groups, str data_format='NHWC') -> (Tensor, Tensor, Tensor)",
      group_norm_backprop);
  m.def("bias_add(Tensor x, Tensor bias, *, str data_format='NHWC') -> Tensor", bias_add);
  m.def("clip_by_norm(Tensor x, *, float max_norm) -> Tensor", clip_by_norm);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("batch_norm_training", batch_norm_training_meta);
  m.impl("batch_norm_relu_training", batch_norm_relu_training_meta);
  m.impl("batch_norm_relu_training_backprop", batch_norm_relu_training_backprop_meta);
  m.impl("batch_norm_training_backprop", batch_norm_training_backprop_meta);
  m.impl("batch_norm", batch_norm_meta);
  m.impl("group_norm", group_norm_meta);
  m.impl("group_norm_backprop", group_norm_backprop_meta);
  m.impl("group_norm_with_statistics", group_norm_with_statistics_meta);
  m.impl("local_response_normalization_backprop", local_response_normalization_backprop_meta);
}

}  // namespace belfry
