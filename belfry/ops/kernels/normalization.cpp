#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/native_batch_norm.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <tuple>
#include <utility>

#include "belfry/ops/internal/image.h"

namespace belfry {
namespace {

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

std::tuple<Tensor, Tensor, Tensor> batch_norm_training(const Tensor& input, const OptionalTensor& scale,
                                                       const OptionalTensor& offset, double epsilon,
                                                       bool unbiased_variance, std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  const int64_t channels = x.size(1);
  check_channels({{"scale", &scale}, {"offset", &offset}}, channels);
  const int64_t count = channels == 0 ? 0 : x.numel() / channels;
  TORCH_CHECK(count > 0, "expected a batch of at least one element, got ", input.sizes());
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

Tensor batch_norm(const Tensor& input, const Tensor& mean, const Tensor& variance,
                  const OptionalTensor& scale, const OptionalTensor& offset, double epsilon,
                  std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  // ATen reads beyond the end of statistics of fewer channels.
  const OptionalTensor given_mean = mean, given_variance = variance;
  check_channels(
      {{"mean", &given_mean}, {"variance", &given_variance}, {"scale", &scale}, {"offset", &offset}},
      x.size(1));
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

Tensor group_norm(const Tensor& input, const OptionalTensor& scale, const OptionalTensor& offset,
                  int64_t groups, double epsilon, std::string_view data_format) {
  const Tensor x = internal::channels_second(input, data_format);
  check_groups(x, groups, scale, offset);
  return internal::channels_restored(at::group_norm(x, groups, scale, offset, epsilon), data_format);
}

Tensor group_norm_meta(const Tensor& input, const OptionalTensor& scale, const OptionalTensor& offset,
                       int64_t groups, double, std::string_view data_format) {
  check_groups(internal::channels_second(input, data_format), groups, scale, offset);
  return at::empty_like(input);
}

Tensor l2_normalize(const Tensor& x, int64_t axis, double epsilon) {
  return x * at::rsqrt(x.square().sum(axis, /*keepdim=*/true).clamp_min(epsilon));
}

Tensor local_response_normalization(const Tensor& x, int64_t depth_radius, double bias, double alpha,
                                    double beta) {
  TORCH_CHECK(x.dim() > 0 && depth_radius >= 0, "expected channels and a radius of at least 0, got ",
              x.sizes(), " and ", depth_radius);
  const Tensor padded = at::constant_pad_nd(x.square(), {depth_radius, depth_radius});
  const Tensor sums = padded.unfold(-1, 2 * depth_radius + 1, 1).sum(-1);
  return x * (sums * alpha + bias).pow(-beta);
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
  return x * (max_norm / at::linalg_vector_norm(x).clamp_min(max_norm));
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
  m.def("l2_normalize(Tensor x, *, int axis, float epsilon=1e-12) -> Tensor", l2_normalize);
  m.def(
      "local_response_normalization(Tensor x, *, int depth_radius=5, float bias=1, float alpha=1, "
      "float beta=0.5) -> Tensor",
      local_response_normalization);
  m.def("bias_add(Tensor x, Tensor bias, *, str data_format='NHWC') -> Tensor", bias_add);
  m.def("clip_by_norm(Tensor x, *, float max_norm) -> Tensor", clip_by_norm);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("batch_norm_training", batch_norm_training_meta);
  m.impl("batch_norm", batch_norm_meta);
  m.impl("group_norm", group_norm_meta);
}

}  // namespace belfry
