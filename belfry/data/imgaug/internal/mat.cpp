#include "belfry/data/imgaug/internal/mat.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "belfry/base/error.h"

namespace belfry::imgaug::internal {
namespace {

int64_t channels_of(const at::Tensor& image) {
  return image.dim() == 3 ? image.size(2) : 1;
}

}  // namespace

at::Tensor with_dense_rows(const at::Tensor& image) {
  const int64_t channels = channels_of(image);
  const bool is_dense = (channels == 1 || image.stride(2) == 1) &&
                        (image.size(1) == 1 || image.stride(1) == channels) &&
                        (image.size(0) == 1 || image.stride(0) >= image.size(1) * channels);
  return is_dense ? image : image.contiguous();
}

cv::Mat as_mat(const at::Tensor& image) {
  const int64_t channels = channels_of(image);
  const int depth = image.scalar_type() == at::kByte ? CV_8U : CV_32F;
  const int64_t stride = image.size(0) == 1 ? image.size(1) * channels : image.stride(0);
  return cv::Mat(static_cast<int>(image.size(0)), static_cast<int>(image.size(1)),
                 CV_MAKETYPE(depth, static_cast<int>(channels)), image.data_ptr(),
                 static_cast<size_t>(stride * image.element_size()));
}

void check_result(const cv::Mat& mat, const at::Tensor& result) {
  if (mat.data == result.data_ptr()) return;
  throw DataError(fmt::format(
      "[imgaug] expected an image of the channels that this is for, got one of {}: the result has {}",
      channels_of(result), mat.channels()));
}

at::Tensor empty_image(const at::Tensor& like, int64_t h, int64_t w) {
  if (like.dim() == 2) return at::empty({h, w}, like.options());
  return at::empty({h, w, like.size(2)}, like.options());
}

}  // namespace belfry::imgaug::internal
