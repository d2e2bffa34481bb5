#include <ATen/TensorOperators.h>
#include <ATen/ops/_upsample_nearest_exact2d.h>
#include <ATen/ops/_upsample_nearest_exact2d_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_bilinear2d_backward.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <vector>

#include "belfry/ops/internal/image.h"

// Images in other sizes, as TensorFlow's operators make them. ATen has kernels for the nearest and the
// bilinear method where pixels are areas; the others mix slices along one dimension after the other.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;

/// What a resize is asked for.
struct How {
  std::string_view method;
  bool align_corners, half_pixel_centers;

  bool is_atens() const {
    return (method == "nearest" && !align_corners && half_pixel_centers) ||
           (method == "bilinear" && (align_corners || half_pixel_centers));
  }
};

/// One of the slices that each output along a dimension is mixed of.
struct Tap {
  std::vector<int64_t> indices;
  std::vector<double> weights;

  explicit Tap(int64_t outputs)
      : indices(static_cast<size_t>(outputs)), weights(static_cast<size_t>(outputs), 1.0) {}
};

/// Where output `i` lies among the inputs. In float32, as TensorFlow works it out: at the borders between
/// pixels the rounding decides.
float place(const How& how, int64_t i, int64_t inputs, int64_t outputs) {
  if (how.align_corners && outputs > 1)
    return static_cast<float>(i) * (static_cast<float>(inputs - 1) / static_cast<float>(outputs - 1));
  const float scale = static_cast<float>(inputs) / static_cast<float>(outputs);
  if (how.align_corners || !how.half_pixel_centers) return static_cast<float>(i) * scale;
  return (static_cast<float>(i) + 0.5F) * scale - 0.5F;
}

/// The weights of the four neighbours of a place `share` behind the second. TensorFlow reads them from a
/// table of 1024 places.
std::array<double, 4> cubic_weights(double share, double a) {
  constexpr double kPlaces = 1024;
  const double x = std::nearbyint(share * kPlaces) / kPlaces;
  const auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(1 + x), near(x), near(1 - x), far(2 - x)};
}

std::vector<Tap> cubic_taps(const How& how, int64_t inputs, int64_t outputs) {
  // With centres of pixels: Keys' kernel, without what lies outside. Else: the older one, borders repeated.
  const bool keys = how.half_pixel_centers && !how.align_corners;
  std::vector<Tap> taps(4, Tap(outputs));
  for (int64_t i = 0; i < outputs; ++i) {
    const float at = place(how, i, inputs, outputs), lower = std::floor(at);
    auto weights = cubic_weights(static_cast<double>(at - lower), keys ? -0.5 : -0.75);
    double sum = 0;
    for (size_t k = 0; k < 4; ++k) {
      const int64_t index = static_cast<int64_t>(lower) - 1 + static_cast<int64_t>(k);
      const int64_t inside = std::clamp<int64_t>(index, 0, inputs - 1);
      if (keys && inside != index) weights[k] = 0;
      taps[k].indices[static_cast<size_t>(i)] = inside;
      sum += weights[k];
    }
    for (size_t k = 0; k < 4; ++k) taps[k].weights[static_cast<size_t>(i)] = weights[k] / (keys ? sum : 1);
  }
  return taps;
}

std::vector<Tap> linear_taps(const How& how, int64_t inputs, int64_t outputs) {
  std::vector<Tap> taps(2, Tap(outputs));
  for (int64_t i = 0; i < outputs; ++i) {
    const float at = std::max(place(how, i, inputs, outputs), 0.0F), lower = std::floor(at);
    const auto first = std::min(static_cast<int64_t>(lower), inputs - 1);
    const auto n = static_cast<size_t>(i);
    taps[0].indices[n] = first;
    taps[1].indices[n] = std::min(first + 1, inputs - 1);
    taps[1].weights[n] = static_cast<double>(at - lower);
    taps[0].weights[n] = 1 - taps[1].weights[n];
  }
  return taps;
}

std::vector<Tap> nearest_taps(const How& how, int64_t inputs, int64_t outputs) {
  std::vector<Tap> taps(1, Tap(outputs));
  for (int64_t i = 0; i < outputs; ++i) {
    const float at = place(how, i, inputs, outputs);
    const float whole = how.align_corners ? std::round(at) : std::floor(at);
    taps[0].indices[static_cast<size_t>(i)] = std::clamp<int64_t>(static_cast<int64_t>(whole), 0, inputs - 1);
  }
  return taps;
}

std::vector<Tap> taps_of(const How& how, int64_t inputs, int64_t outputs) {
  if (how.method == "nearest") return nearest_taps(how, inputs, outputs);
  return how.method == "bicubic" ? cubic_taps(how, inputs, outputs) : linear_taps(how, inputs, outputs);
}

Tensor indices_of(const Tap& tap, const Tensor& x) {
  return at::tensor(tap.indices, x.options().dtype(at::kLong));
}
/// Along dimension `dim` of four.
Tensor weights_of(const Tap& tap, const Tensor& x, int64_t dim) {
  std::vector<int64_t> sizes(4, 1);
  sizes[static_cast<size_t>(dim)] = static_cast<int64_t>(tap.weights.size());
  return at::tensor(tap.weights, at::kDouble).to(x.options()).view(sizes);
}

Tensor mixed_along(const Tensor& x, int64_t dim, int64_t outputs, const How& how) {
  const auto taps = taps_of(how, x.size(dim), outputs);
  if (taps.size() == 1) return x.index_select(dim, indices_of(taps[0], x));
  Tensor y;
  for (const Tap& tap : taps) {
    const Tensor part = x.index_select(dim, indices_of(tap, x)) * weights_of(tap, x, dim);
    y = y.defined() ? y + part : part;
  }
  return y;
}
/// The derivative of mixed_along.
Tensor spread_along(const Tensor& g, int64_t dim, int64_t inputs, const How& how) {
  std::vector<int64_t> sizes = g.sizes().vec();
  sizes[static_cast<size_t>(dim)] = inputs;
  Tensor dx = at::zeros(sizes, g.options());
  for (const Tap& tap : taps_of(how, inputs, g.size(dim)))
    dx.index_add_(dim, indices_of(tap, g), g * weights_of(tap, g, dim));
  return dx;
}

void check(const Tensor& x, IntArrayRef size, const How& how) {
  TORCH_CHECK(size[0] > 0 && size[1] > 0, "expected a positive size, got ", size);
  TORCH_CHECK(at::isFloatingType(x.scalar_type()) || x.scalar_type() == at::kByte,
              "expected images of floating-point numbers or uint8, got ", x.scalar_type());
  TORCH_CHECK(how.method == "nearest" || how.method == "bilinear" || how.method == "bicubic",
              "expected the method \"nearest\", \"bilinear\" or \"bicubic\", got \"", how.method, "\"");
  TORCH_CHECK(x.size(1) > 0 && x.size(2) > 0 && x.size(3) > 0,
              "expected images of 1 channel and pixel or more, got ", x.sizes());
  constexpr int64_t kMost = 1 << 24;  // from where on float32 skips whole numbers
  TORCH_CHECK(how.is_atens() || std::max({size[0], size[1], x.size(2), x.size(3)}) <= kMost,
              "expected images of at most ", kMost, " rows and columns, got ", x.sizes(), " and ", size);
}

Tensor resize(const Tensor& input, IntArrayRef size, std::string_view method, bool align_corners,
              std::string_view data_format, bool half_pixel_centers) {
  const Tensor x = internal::as_nchw(input, data_format);
  const How how{method, align_corners, half_pixel_centers};
  check(x, size, how);
  if (how.is_atens()) {
    return internal::from_nchw(method == "nearest" ? at::_upsample_nearest_exact2d(x, size)
                                                   : at::upsample_bilinear2d(x, size, align_corners),
                               data_format);
  }
  const bool rounds = x.scalar_type() == at::kByte && method != "nearest";
  const Tensor numbers = rounds ? x.to(at::kFloat) : x;
  Tensor y = mixed_along(mixed_along(numbers, 2, size[0], how), 3, size[1], how);
  if (rounds) y = y.add(0.5).floor().clamp(0, 255).to(at::kByte);
  return internal::from_nchw(y, data_format).contiguous();
}
Tensor resize_meta(const Tensor& input, IntArrayRef size, std::string_view method, bool align_corners,
                   std::string_view data_format, bool half_pixel_centers) {
  const Tensor x = internal::as_nchw(input, data_format);
  check(x, size, {method, align_corners, half_pixel_centers});
  return internal::meta_image({x.size(0), x.size(1), size[0], size[1]}, data_format, x.options());
}

Tensor resize_backprop(const Tensor& gradient, IntArrayRef input_size, std::string_view method,
                       bool align_corners, std::string_view data_format, bool half_pixel_centers) {
  const Tensor g = internal::as_nchw(gradient, data_format);
  const How how{method, align_corners, half_pixel_centers};
  const bool nhwc = internal::is_nhwc(data_format);
  const std::vector<int64_t> nchw =
      nhwc ? std::vector<int64_t>{input_size[0], input_size[3], input_size[1], input_size[2]}
           : input_size.vec();
  if (!how.is_atens()) {
    return internal::from_nchw(spread_along(spread_along(g, 3, nchw[3], how), 2, nchw[2], how), data_format)
        .contiguous();
  }
  const IntArrayRef size = g.sizes().slice(2);
  return internal::from_nchw(method == "nearest"
                                 ? at::_upsample_nearest_exact2d_backward(g, size, nchw)
                                 : at::upsample_bilinear2d_backward(g, size, nchw, align_corners),
                             data_format);
}
Tensor resize_backprop_meta(const Tensor& gradient, IntArrayRef input_size, std::string_view, bool,
                            std::string_view, bool) {
  return at::empty(input_size, gradient.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "resize(Tensor input, *, int[2] size, str method='bilinear', bool align_corners=False, "
      "str data_format='NHWC', bool half_pixel_centers=True) -> Tensor",
      resize);
  m.def(
      "resize_backprop(Tensor gradient, *, int[] input_size, str method='bilinear', bool "
      "align_corners=False, str data_format='NHWC', bool half_pixel_centers=True) -> Tensor",
      resize_backprop);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("resize", resize_meta);
  m.impl("resize_backprop", resize_backprop_meta);
}

}  // namespace belfry
