#include <ATen/TensorOperators.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>
#include <utility>

#include "belfry/ops/internal/image.h"

// TensorFlow's convolutions on ATen's. Filters come as [height, width, in, out] and are seen, without a copy,
// as ATen's [out, in, height, width].
//
// Two kinds of convolutions are put in another way, as oneDNN 3.13 fails at them on processors with AVX-512:
// - 1x1 with a stride above 1. The gradient by its filter writes beyond its scratch memory where threads
//   share a batch unevenly.
// - With a single window along an axis and a stride above 1 there. Results are wrong for one input channel.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::Tensor;
using internal::Window;
using OptionalTensor = std::optional<Tensor>;

void check_bias(const OptionalTensor& bias, int64_t channels) {
  TORCH_CHECK(!bias || (bias->dim() == 1 && bias->size(0) == channels), "expected a bias [", channels,
              "], got ", bias->sizes());
}

void check_image_and_filter(const Tensor& input, const Tensor& filter) {
  TORCH_CHECK(input.dim() == 4, "expected a 4-D input, got ", input.sizes());
  TORCH_CHECK(filter.dim() == 4, "expected a 4-D filter [height, width, in, out], got ", filter.sizes());
}

/// A convolution of an NCHW view: checked, and with its windows known.
struct Geometry {
  Window rows, columns;
  int64_t batch, channels_out;

  std::array<int64_t, 4> output() const { return {batch, channels_out, rows.outputs, columns.outputs}; }
  bool symmetric() const { return rows.before == rows.after && columns.before == columns.after; }
};

Geometry conv_geometry(const Tensor& x, const Tensor& filter, const OptionalTensor& bias, IntArrayRef strides,
                       std::string_view padding, IntArrayRef dilations, int64_t groups) {
  TORCH_CHECK(groups > 0 && x.size(1) % groups == 0 && filter.size(3) % groups == 0,
              "expected channels that ", groups, " groups divide, got ", x.size(1), " of the input and ",
              filter.size(3), " of the output");
  TORCH_CHECK(filter.size(2) * groups == x.size(1), "expected a filter of ", x.size(1) / groups,
              " input channels for an input of ", x.size(1), " in ", groups, " groups, got ", filter.sizes());
  check_bias(bias, filter.size(3));
  return {internal::window_of(x.size(2), filter.size(0), strides[0], dilations[0], padding),
          internal::window_of(x.size(3), filter.size(1), strides[1], dilations[1], padding), x.size(0),
          filter.size(3)};
}

/// ATen's [out, in, height, width] in dense memory, as some of its kernels make the gradient in the layout of
/// the filter, and others then refuse it. Layers keep their filters so; a filter that is computed is copied.
Tensor aten_filter(const Tensor& filter) {
  return filter.permute({3, 2, 0, 1}).contiguous();
}

bool is_1x1(const Tensor& filter) {
  return filter.size(0) == 1 && filter.size(1) == 1;
}

/// Keeps what the windows of an NCHW view see along one dimension, so that a stride of 1 does: every
/// `stride`th element of it for windows of one, and the first window where there is no second.
void without_stride(Tensor& x, int64_t dimension, int64_t extent, Window& window, int64_t& stride) {
  const int64_t size = x.size(dimension);
  if (stride == 1 || (extent > 1 && window.outputs != 1)) return;
  if (extent == 1) {
    x = x.slice(dimension, 0, size, stride);
  } else {
    const int64_t seen = std::min(size, extent - window.before);
    x = x.narrow(dimension, 0, seen);
    window.after = extent - window.before - seen;
  }
  stride = 1;
}

/// A convolution in the form that ATen takes.
struct Prepared {
  Tensor x;  ///< NCHW, cut to what windows see, before zeros are added
  Geometry geometry;
  std::array<int64_t, 2> strides, pads;

  Tensor padded() const {
    if (geometry.symmetric()) return x;
    return at::constant_pad_nd(
        x, {geometry.columns.before, geometry.columns.after, geometry.rows.before, geometry.rows.after});
  }
};

/// `x` stays a view of the NCHW view that is given.
Prepared prepare(Tensor x, const Tensor& filter, const OptionalTensor& bias, IntArrayRef strides,
                 std::string_view padding, IntArrayRef dilations, int64_t groups) {
  Prepared p{std::move(x), {}, {strides[0], strides[1]}, {}};
  Geometry& g = p.geometry = conv_geometry(p.x, filter, bias, strides, padding, dilations, groups);
  if (is_1x1(filter) || g.rows.outputs == 1 || g.columns.outputs == 1) {
    // Cut in the order of memory, so that the gradient is put back in that order too.
    const bool nhwc = p.x.suggest_memory_format() == at::MemoryFormat::ChannelsLast;
    if (nhwc) p.x = p.x.permute({0, 2, 3, 1});
    without_stride(p.x, nhwc ? 1 : 2, (filter.size(0) - 1) * dilations[0] + 1, g.rows, p.strides[0]);
    without_stride(p.x, nhwc ? 2 : 3, (filter.size(1) - 1) * dilations[1] + 1, g.columns, p.strides[1]);
    if (nhwc) p.x = p.x.permute({0, 3, 1, 2});
  }
  if (g.symmetric()) p.pads = {g.rows.before, g.columns.before};
  return p;
}

Tensor conv2d(const Tensor& input, const Tensor& filter, const OptionalTensor& bias, IntArrayRef strides,
              std::string_view padding, IntArrayRef dilations, int64_t groups, std::string_view data_format) {
  check_image_and_filter(input, filter);
  const Tensor x = internal::as_nchw(input, data_format);
  Prepared p = prepare(x, filter, bias, strides, padding, dilations, groups);
  if (!p.x.is_same(x)) p.x = p.x.contiguous(x.suggest_memory_format());
  const Tensor y = at::convolution(p.padded(), aten_filter(filter), bias, p.strides, p.pads, dilations,
                                   /*transposed=*/false, /*output_padding=*/{0, 0}, groups);
  return internal::from_nchw(y, data_format);
}

Tensor conv2d_meta(const Tensor& input, const Tensor& filter, const OptionalTensor& bias, IntArrayRef strides,
                   std::string_view padding, IntArrayRef dilations, int64_t groups,
                   std::string_view data_format) {
  check_image_and_filter(input, filter);
  const Geometry g =
      conv_geometry(internal::as_nchw(input, data_format), filter, bias, strides, padding, dilations, groups);
  return internal::meta_image(g.output(), data_format, input.options());
}

/// [height, width, channels, multiplier] to [height, width, 1, channels * multiplier]
Tensor grouped_filter(const Tensor& filter) {
  return filter.reshape({filter.size(0), filter.size(1), 1, filter.size(2) * filter.size(3)});
}

Tensor depthwise_conv2d(const Tensor& input, const Tensor& filter, IntArrayRef strides,
                        std::string_view padding, IntArrayRef dilations, std::string_view data_format) {
  check_image_and_filter(input, filter);
  return conv2d(input, grouped_filter(filter), {}, strides, padding, dilations, /*groups=*/filter.size(2),
                data_format);
}

Tensor depthwise_conv2d_meta(const Tensor& input, const Tensor& filter, IntArrayRef strides,
                             std::string_view padding, IntArrayRef dilations, std::string_view data_format) {
  check_image_and_filter(input, filter);
  return conv2d_meta(input, grouped_filter(filter), {}, strides, padding, dilations,
                     /*groups=*/filter.size(2), data_format);
}

/// The gradient of conv2d by an image of `input_size`.
Tensor conv2d_backprop_input(const Tensor& gradient, const Tensor& filter, IntArrayRef input_size,
                             IntArrayRef strides, std::string_view padding, IntArrayRef dilations,
                             int64_t groups, std::string_view data_format) {
  const Tensor result = at::zeros(input_size, gradient.options());
  check_image_and_filter(result, filter);
  const Tensor dx = internal::as_nchw(result, data_format), dy = internal::as_nchw(gradient, data_format);
  const Prepared p = prepare(dx, filter, {}, strides, padding, dilations, groups);
  const Geometry& g = p.geometry;
  Tensor seen = std::get<0>(
      at::convolution_backward(dy, p.padded().contiguous(dy.suggest_memory_format()), aten_filter(filter),
                               at::OptionalIntArrayRef(), p.strides, p.pads, dilations, /*transposed=*/false,
                               /*output_padding=*/{0, 0}, groups, {true, false, false}));
  if (!g.symmetric())
    seen = seen.narrow(2, g.rows.before, p.x.size(2)).narrow(3, g.columns.before, p.x.size(3));
  if (p.x.sizes() == dx.sizes()) return internal::from_nchw(seen, data_format).contiguous();
  p.x.copy_(seen);
  return result;
}

Tensor conv2d_backprop_input_meta(const Tensor& gradient, const Tensor&, IntArrayRef input_size, IntArrayRef,
                                  std::string_view, IntArrayRef, int64_t, std::string_view) {
  return at::empty(input_size, gradient.options());
}

/// The gradients of conv2d by a filter of `filter_size` and by a bias, of that dtype; none: the gradient's.
std::tuple<Tensor, Tensor> conv2d_backprop_filter(const Tensor& gradient, const Tensor& input,
                                                  IntArrayRef filter_size, IntArrayRef strides,
                                                  std::string_view padding, IntArrayRef dilations,
                                                  int64_t groups, std::string_view data_format,
                                                  std::optional<at::ScalarType> dtype) {
  const Tensor x = internal::as_nchw(input, data_format), dy = internal::as_nchw(gradient, data_format);
  const Tensor filter = at::empty(filter_size, input.options());
  const Prepared p = prepare(x, filter, {}, strides, padding, dilations, groups);
  const int64_t channels = filter_size[3];
  const auto [dx, dw, db] = at::convolution_backward(dy, p.padded().contiguous(x.suggest_memory_format()),
                                                     aten_filter(filter), at::OptionalIntArrayRef(channels),
                                                     p.strides, p.pads, dilations, /*transposed=*/false,
                                                     /*output_padding=*/{0, 0}, groups, {false, true, true});
  const at::ScalarType wanted = dtype.value_or(gradient.scalar_type());
  return {dw.permute({2, 3, 1, 0}).to(wanted), db.to(wanted)};
}

std::tuple<Tensor, Tensor> conv2d_backprop_filter_meta(const Tensor& gradient, const Tensor&,
                                                       IntArrayRef filter_size, IntArrayRef, std::string_view,
                                                       IntArrayRef, int64_t, std::string_view,
                                                       std::optional<at::ScalarType> dtype) {
  const auto options = gradient.options().dtype(dtype.value_or(gradient.scalar_type()));
  return {at::empty(filter_size, options), at::empty({filter_size[3]}, options)};
}

/// A transposed convolution along one dimension.
struct TransposedWindow {
  int64_t output;
  int64_t padding;         ///< what ATen crops on both sides
  int64_t output_padding;  ///< zeros to add after
  int64_t crop;            ///< what remains to crop after
};

TransposedWindow transposed_window(int64_t size, int64_t kernel, int64_t stride, std::string_view padding) {
  TORCH_CHECK(stride > 0, "expected a positive stride, got ", stride);
  const int64_t output =
      internal::is_same(padding) ? size * stride : size * stride + std::max<int64_t>(kernel - stride, 0);
  const int64_t full = (size - 1) * stride + kernel;
  const int64_t surplus = std::max<int64_t>(full - output, 0);
  return {output, surplus / 2, std::max<int64_t>(output - full, 0), surplus % 2};
}

struct TransposedGeometry {
  TransposedWindow rows, columns;
};

TransposedGeometry transposed_geometry(const Tensor& x, const Tensor& filter, const OptionalTensor& bias,
                                       IntArrayRef strides, std::string_view padding) {
  TORCH_CHECK(filter.size(3) == x.size(1), "expected a filter [height, width, out, ", x.size(1),
              "] for an input of ", x.size(1), " channels, got ", filter.sizes());
  check_bias(bias, filter.size(2));
  return {transposed_window(x.size(2), filter.size(0), strides[0], padding),
          transposed_window(x.size(3), filter.size(1), strides[1], padding)};
}

Tensor plus_bias(const Tensor& y, const OptionalTensor& bias) {
  return bias ? y + bias->reshape({1, -1, 1, 1}) : y;
}

/// A transposed convolution of windows of one pixel: the pixels' products, and zeros between them.
Tensor spread_pixels(const Tensor& x, const Tensor& filter, IntArrayRef strides) {
  const Tensor y = at::convolution(x, aten_filter(filter), {}, /*stride=*/{1, 1}, /*padding=*/{0, 0},
                                   /*dilation=*/{1, 1}, /*transposed=*/true, /*output_padding=*/{0, 0},
                                   /*groups=*/1);
  const Tensor pixels = y.permute({0, 2, 3, 1}).unsqueeze(3).unsqueeze(2);  // [N, H, 1, W, 1, C]
  const Tensor spread = at::constant_pad_nd(pixels, {0, 0, 0, strides[1] - 1, 0, 0, 0, strides[0] - 1});
  return spread.reshape({y.size(0), y.size(2) * strides[0], y.size(3) * strides[1], y.size(1)})
      .permute({0, 3, 1, 2});
}

/// Where nothing overlaps along an axis, as it has one element, any stride does.
int64_t stride_along(int64_t size, int64_t stride) {
  return size == 1 ? 1 : stride;
}

Tensor conv2d_transpose(const Tensor& input, const Tensor& filter, const OptionalTensor& bias,
                        IntArrayRef strides, std::string_view padding, std::string_view data_format) {
  check_image_and_filter(input, filter);
  const Tensor x = internal::as_nchw(input, data_format);
  auto [rows, columns] = transposed_geometry(x, filter, bias, strides, padding);
  if (is_1x1(filter) && (strides[0] > 1 || strides[1] > 1))
    return internal::from_nchw(plus_bias(spread_pixels(x, filter, strides), bias), data_format);
  const std::array<int64_t, 2> used = {stride_along(x.size(2), strides[0]),
                                       stride_along(x.size(3), strides[1])};
  // ATen takes zeros to add only below the stride.
  const bool pad_after = rows.output_padding >= used[0] || columns.output_padding >= used[1];
  const std::array<int64_t, 2> output_padding = {pad_after ? 0 : rows.output_padding,
                                                 pad_after ? 0 : columns.output_padding};
  Tensor y = at::convolution(x, aten_filter(filter), pad_after ? OptionalTensor() : bias, used,
                             {rows.padding, columns.padding}, /*dilation=*/{1, 1}, /*transposed=*/true,
                             output_padding, /*groups=*/1);
  if (pad_after)
    y = plus_bias(at::constant_pad_nd(y, {0, columns.output_padding, 0, rows.output_padding}), bias);
  if (rows.crop || columns.crop) {
    const auto format = y.suggest_memory_format();
    y = y.narrow(2, 0, rows.output).narrow(3, 0, columns.output).contiguous(format);
  }
  return internal::from_nchw(y, data_format);
}

Tensor conv2d_transpose_meta(const Tensor& input, const Tensor& filter, const OptionalTensor& bias,
                             IntArrayRef strides, std::string_view padding, std::string_view data_format) {
  check_image_and_filter(input, filter);
  const Tensor x = internal::as_nchw(input, data_format);
  const auto [rows, columns] = transposed_geometry(x, filter, bias, strides, padding);
  return internal::meta_image({x.size(0), filter.size(2), rows.output, columns.output}, data_format,
                              input.options());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "conv2d(Tensor input, Tensor filter, Tensor? bias=None, *, int[2] strides=1, str padding='SAME', "
      "int[2] dilations=1, int groups=1, str data_format='NHWC') -> Tensor",
      conv2d);
  m.def(
      "depthwise_conv2d(Tensor input, Tensor filter, *, int[2] strides=1, str padding='SAME', "
      "int[2] dilations=1, str data_format='NHWC') -> Tensor",
      depthwise_conv2d);
  m.def(
      "conv2d_backprop_input(Tensor gradient, Tensor filter, *, int[] input_size, int[2] strides=1, "
      "str padding='SAME', int[2] dilations=1, int groups=1, str data_format='NHWC') -> Tensor",
      conv2d_backprop_input);
  m.def(
      "conv2d_backprop_filter(Tensor gradient, Tensor input, *, int[] filter_size, int[2] strides=1, "
      "str padding='SAME', int[2] dilations=1, int groups=1, str data_format='NHWC', "
      "ScalarType? dtype=None) -> (Tensor, Tensor)",
      conv2d_backprop_filter);
  m.def(
      "conv2d_transpose(Tensor input, Tensor filter, Tensor? bias=None, *, int[2] strides=1, "
      "str padding='SAME', str data_format='NHWC') -> Tensor",
      conv2d_transpose);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("conv2d", conv2d_meta);
  m.impl("depthwise_conv2d", depthwise_conv2d_meta);
  m.impl("conv2d_backprop_input", conv2d_backprop_input_meta);
  m.impl("conv2d_backprop_filter", conv2d_backprop_filter_meta);
  m.impl("conv2d_transpose", conv2d_transpose_meta);
}

}  // namespace belfry
