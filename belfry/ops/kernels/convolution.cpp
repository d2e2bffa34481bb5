#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>
#include <torch/library.h>

#include <algorithm>
#include <string_view>

#include "belfry/ops/internal/image.h"

// TensorFlow's convolutions on ATen's. Filters come as [height, width, in, out] and are seen, without a copy,
// as ATen's [out, in, height, width].

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

Tensor conv2d(const Tensor& input, const Tensor& filter, const OptionalTensor& bias, IntArrayRef strides,
              std::string_view padding, IntArrayRef dilations, int64_t groups, std::string_view data_format) {
  check_image_and_filter(input, filter);
  Tensor x = internal::as_nchw(input, data_format);
  const Geometry g = conv_geometry(x, filter, bias, strides, padding, dilations, groups);
  std::array<int64_t, 2> pads = {g.rows.before, g.columns.before};
  if (!g.symmetric()) {
    x = at::constant_pad_nd(x, {g.columns.before, g.columns.after, g.rows.before, g.rows.after});
    pads = {0, 0};
  }
  const Tensor y = at::convolution(x, filter.permute({3, 2, 0, 1}), bias, strides, pads, dilations,
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

Tensor conv2d_transpose(const Tensor& input, const Tensor& filter, const OptionalTensor& bias,
                        IntArrayRef strides, std::string_view padding, std::string_view data_format) {
  check_image_and_filter(input, filter);
  const Tensor x = internal::as_nchw(input, data_format);
  const auto [rows, columns] = transposed_geometry(x, filter, bias, strides, padding);
  Tensor y = at::convolution(x, filter.permute({3, 2, 0, 1}), bias, strides, {rows.padding, columns.padding},
                             /*dilation=*/{1, 1}, /*transposed=*/true,
                             {rows.output_padding, columns.output_padding}, /*groups=*/1);
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
      "conv2d_transpose(Tensor input, Tensor filter, Tensor? bias=None, *, int[2] strides=1, "
      "str padding='SAME', str data_format='NHWC') -> Tensor",
      conv2d_transpose);
}

TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("conv2d", conv2d_meta);
  m.impl("depthwise_conv2d", depthwise_conv2d_meta);
  m.impl("conv2d_transpose", conv2d_transpose_meta);
}

}  // namespace belfry
