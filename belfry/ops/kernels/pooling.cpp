#include <ATen/ops/_upsample_nearest_exact2d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <torch/library.h>

#include <array>
#include <string_view>

#include "belfry/ops/internal/image.h"

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

Tensor resize(const Tensor& input, IntArrayRef size, std::string_view method, bool align_corners,
              std::string_view data_format) {
  const Tensor x = internal::as_nchw(input, data_format);
  TORCH_CHECK(size[0] > 0 && size[1] > 0, "expected a positive size, got ", size);
  TORCH_CHECK(at::isFloatingType(x.scalar_type()) || x.scalar_type() == at::kByte,
              "expected images of floating-point numbers or uint8, got ", x.scalar_type());
  if (method == "nearest") {
    TORCH_CHECK(!align_corners, "expected the bilinear method with align_corners, got nearest");
    return internal::from_nchw(at::_upsample_nearest_exact2d(x, size), data_format);
  }
  TORCH_CHECK(method == "bilinear", "expected the method \"nearest\" or \"bilinear\", got \"", method, "\"");
  return internal::from_nchw(at::upsample_bilinear2d(x, size, align_corners), data_format);
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
      "resize(Tensor input, *, int[2] size, str method='bilinear', bool align_corners=False, "
      "str data_format='NHWC') -> Tensor",
      resize);
}

}  // namespace belfry
