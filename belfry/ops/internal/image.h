#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string_view>

namespace belfry::internal {

/// Where the windows of a convolution or pooling lie along one dimension.
struct Window {
  int64_t outputs;  ///< number of windows
  int64_t before;   ///< padding at the top or left
  int64_t after;    ///< padding at the bottom or right
};

/// TensorFlow's padding: "SAME" makes ceil(size / stride) windows and puts the odd row or column of padding
/// after, "VALID" pads nothing. Throws c10::Error for another `padding`, and when no window fits.
Window window_of(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, std::string_view padding);

/// True for "SAME", false for "VALID"; else throws c10::Error.
bool is_same(std::string_view padding);

/// True for "NHWC", false for "NCHW"; else throws c10::Error.
bool is_nhwc(std::string_view data_format);

/// A view of a 4-D `x` in the order that ATen's kernels know. Dense NHWC memory seen as NCHW is what ATen
/// calls channels-last, for which it has its fastest kernels.
at::Tensor as_nchw(const at::Tensor& x, std::string_view data_format);
/// The opposite view.
at::Tensor from_nchw(const at::Tensor& x, std::string_view data_format);
/// Puts the channels of `x`, of any rank from 2 on, at dimension 1, and back.
at::Tensor channels_second(const at::Tensor& x, std::string_view data_format);
at::Tensor channels_restored(const at::Tensor& x, std::string_view data_format);

/// An uninitialised meta tensor of the sizes given in NCHW order, in the order of `data_format`.
at::Tensor meta_image(at::IntArrayRef nchw, std::string_view data_format, const at::TensorOptions& options);

}  // namespace belfry::internal
