#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool2d_backward.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <array>
#include <string_view>
#include <tuple>

#include "belfry/ops/internal/image.h"

// TensorFlow's windows on ATen's kernels, which pad both sides alike: PoolWindow says how.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;

/// How ATen, which pads both sides alike, gets TensorFlow's windows along one dimension. Windows start at
/// -before. Where one more row is wanted after than before:
/// - with a stride above 1, ceil_mode adds the last, incomplete, window;
/// - with stride 1, both sides get the larger padding and the first window is dropped.
struct PoolWindow {
  int64_t outputs;
  int64_t padding;
  int64_t dropped;
};

PoolWindow pool_window(int64_t size, int64_t kernel, int64_t stride, std::string_view padding) {
  const auto window = internal::window_of(size, kernel, stride, /*dilation=*/1, padding);
  const bool shifted = stride == 1 && window.after != window.before;
  return {window.outputs, shifted ? window.after : window.before, shifted ? 1 : 0};
}

template <typename Pool>
Tensor pool2d(const Tensor& input, IntArrayRef kernel, IntArrayRef strides, std::string_view padding,
              std::string_view data_format, Pool pool) {
  const Tensor x = internal::as_nchw(input, data_format);
  const PoolWindow rows = pool_window(x.size(2), kernel[0], strides[0], padding);
  const PoolWindow columns = pool_window(x.size(3), kernel[1], strides[1], padding);
  Tensor y = pool(x, std::array{rows.padding, columns.padding}, /*ceil_mode=*/internal::is_same(padding));
  if (rows.dropped || columns.dropped) {
    const auto format = x.suggest_memory_format();
    y = y.narrow(2, rows.dropped, rows.outputs)
            .narrow(3, columns.dropped, columns.outputs)
            .contiguous(format);
  }
  return internal::from_nchw(y, data_format);
}

Tensor max_pool2d(const Tensor& input, IntArrayRef kernel, IntArrayRef strides, std::string_view padding,
                  std::string_view data_format) {
  return pool2d(input, kernel, strides, padding, data_format,
                [&](const Tensor& x, IntArrayRef pads, bool ceil_mode) {
                  return at::max_pool2d(x, kernel, strides, pads, /*dilation=*/1, ceil_mode);
                });
}

/// ATen adds a window up one by one in float32, which for this many loses the fifth digit.
constexpr int64_t kLargeWindow = 1024;

Tensor avg_pool2d(const Tensor& input, IntArrayRef kernel, IntArrayRef strides, std::string_view padding,
                  std::string_view data_format) {
  return pool2d(input, kernel, strides, padding, data_format,
                [&](const Tensor& x, IntArrayRef pads, bool ceil_mode) {
                  const bool large = kernel[0] * kernel[1] > kLargeWindow && x.is_floating_point();
                  const bool whole = kernel == x.sizes().slice(2) && pads[0] == 0 && pads[1] == 0;
                  if (large && whole) return x.mean({2, 3}, /*keepdim=*/true);
                  const Tensor y = at::avg_pool2d(large ? x.to(at::kDouble) : x, kernel, strides, pads,
                                                  ceil_mode, /*count_include_pad=*/false);
                  return y.to(x.scalar_type());
                });
}

/// As max_pool2d, with the place of each largest value in its plane of height * width.
std::tuple<Tensor, Tensor> max_pool2d_with_indices(const Tensor& input, IntArrayRef kernel,
                                                   IntArrayRef strides, std::string_view padding,
                                                   std::string_view data_format) {
  Tensor indices;
  const Tensor y = pool2d(
      input, kernel, strides, padding, data_format, [&](const Tensor& x, IntArrayRef pads, bool ceil_mode) {
        auto [values, places] =
            at::max_pool2d_with_indices(x, kernel, strides, pads, /*dilation=*/1, ceil_mode);
        indices = places;
        return values;
      });
  const Tensor x = internal::as_nchw(input, data_format);
  const PoolWindow rows = pool_window(x.size(2), kernel[0], strides[0], padding);
  const PoolWindow columns = pool_window(x.size(3), kernel[1], strides[1], padding);
  indices = indices.narrow(2, rows.dropped, rows.outputs).narrow(3, columns.dropped, columns.outputs);
  return {y, internal::from_nchw(indices, data_format).contiguous()};
}

/// Puts each gradient where the largest value was, on zeros of `input_size`.
Tensor max_pool2d_backprop(const Tensor& gradient, const Tensor& indices, IntArrayRef, IntArrayRef,
                           std::string_view, IntArrayRef input_size, std::string_view data_format) {
  const Tensor result = at::zeros(input_size, gradient.options());
  const Tensor dx = internal::as_nchw(result, data_format);
  const Tensor planes = at::zeros({dx.size(0), dx.size(1), dx.size(2) * dx.size(3)}, gradient.options());
  planes.scatter_add_(2, internal::as_nchw(indices, data_format).flatten(2),
                      internal::as_nchw(gradient, data_format).flatten(2));
  dx.copy_(planes.view(dx.sizes()));
  return result;
}

Tensor max_pool2d_backprop_meta(const Tensor& gradient, const Tensor&, IntArrayRef, IntArrayRef,
                                std::string_view, IntArrayRef input_size, std::string_view) {
  return at::empty(input_size, gradient.options());
}

Tensor avg_pool2d_backprop(const Tensor& gradient, IntArrayRef kernel, IntArrayRef strides,
                           std::string_view padding, IntArrayRef input_size, std::string_view data_format) {
  const Tensor image = at::empty(input_size, gradient.options());
  const Tensor x = internal::as_nchw(image, data_format);
  const PoolWindow rows = pool_window(x.size(2), kernel[0], strides[0], padding);
  const PoolWindow columns = pool_window(x.size(3), kernel[1], strides[1], padding);
  const Tensor g =
      at::constant_pad_nd(internal::as_nchw(gradient, data_format), {columns.dropped, 0, rows.dropped, 0});
  const Tensor dx = at::avg_pool2d_backward(
      g.contiguous(x.suggest_memory_format()), x, kernel, strides, {rows.padding, columns.padding},
      /*ceil_mode=*/internal::is_same(padding), /*count_include_pad=*/false, /*divisor_override=*/{});
  return internal::from_nchw(dx, data_format).contiguous();
}

Tensor avg_pool2d_backprop_meta(const Tensor& gradient, IntArrayRef, IntArrayRef, std::string_view,
                                IntArrayRef input_size, std::string_view) {
  return at::empty(input_size, gradient.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "max_pool2d(Tensor input, *, int[2] kernel, int[2] strides, str padding='VALID', "
      "str data_format='NHWC') -> Tensor",
      max_pool2d);
  m.def(
      "avg_pool2d(Tensor input, *, int[2] kernel, int[2] strides, str padding='VALID', "
      "str data_format='NHWC') -> Tensor",
      avg_pool2d);
  m.def(
      "max_pool2d_with_indices(Tensor input, *, int[2] kernel, int[2] strides, str padding='VALID', "
      "str data_format='NHWC') -> (Tensor, Tensor)",
      max_pool2d_with_indices);
  m.def(
      "max_pool2d_backprop(Tensor gradient, Tensor indices, *, int[2] kernel, int[2] strides, "
      "str padding='VALID', int[] input_size, str data_format='NHWC') -> Tensor",
      max_pool2d_backprop);
  m.def(
      "avg_pool2d_backprop(Tensor gradient, *, int[2] kernel, int[2] strides, str padding='VALID', "
      "int[] input_size, str data_format='NHWC') -> Tensor",
      avg_pool2d_backprop);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("max_pool2d_backprop", max_pool2d_backprop_meta);
  m.impl("avg_pool2d_backprop", avg_pool2d_backprop_meta);
}

}  // namespace belfry
