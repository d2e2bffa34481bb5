#include "belfry/ops/internal/image.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace belfry::internal {

bool is_same(std::string_view padding) {
  TORCH_CHECK(padding == "SAME" || padding == "VALID", "expected padding \"SAME\" or \"VALID\", got \"",
              padding, "\"");
  return padding == "SAME";
}

bool is_nhwc(std::string_view data_format) {
  TORCH_CHECK(data_format == "NHWC" || data_format == "NCHW",
              "expected data_format \"NHWC\" or \"NCHW\", got \"", data_format, "\"");
  return data_format == "NHWC";
}

Window window_of(int64_t size, int64_t kernel, int64_t stride, int64_t dilation, std::string_view padding) {
  TORCH_CHECK(kernel > 0 && stride > 0 && dilation > 0,
              "expected a positive kernel size, stride and dilation, got ", kernel, ", ", stride, " and ",
              dilation);
  const int64_t extent = (kernel - 1) * dilation + 1;
  if (!is_same(padding)) {
    TORCH_CHECK(size >= extent, "expected an input of at least ", extent,
                " rows and columns for a window of that size without padding, got ", size);
    return {(size - extent) / stride + 1, 0, 0};
  }
  const int64_t outputs = (size + stride - 1) / stride;
  const int64_t total = std::max<int64_t>((outputs - 1) * stride + extent - size, 0);
  return {outputs, total / 2, total - total / 2};
}

at::Tensor as_nchw(const at::Tensor& x, std::string_view data_format) {
  TORCH_CHECK(x.dim() == 4, "expected a 4-D input, got ", x.sizes());
  return is_nhwc(data_format) ? x.permute({0, 3, 1, 2}) : x;
}

at::Tensor from_nchw(const at::Tensor& x, std::string_view data_format) {
  return is_nhwc(data_format) ? x.permute({0, 2, 3, 1}) : x;
}

at::Tensor channels_second(const at::Tensor& x, std::string_view data_format) {
  TORCH_CHECK(x.dim() >= 2, "expected an input of at least 2 dimensions, got ", x.sizes());
  return is_nhwc(data_format) && x.dim() > 2 ? x.movedim(-1, 1) : x;
}

at::Tensor channels_restored(const at::Tensor& x, std::string_view data_format) {
  return is_nhwc(data_format) && x.dim() > 2 ? x.movedim(1, -1) : x;
}

at::Tensor meta_image(at::IntArrayRef nchw, std::string_view data_format, const at::TensorOptions& options) {
  return from_nchw(at::empty(nchw, options.device(at::kMeta)), data_format);
}

}  // namespace belfry::internal
