#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <opencv2/core.hpp>

#include "belfry/data/images/image_spec.h"

namespace belfry::imgaug::internal {

/// `image` itself when each of its rows is contiguous, as OpenCV wants it; else a contiguous copy.
at::Tensor with_dense_rows(const at::Tensor& image);

/// OpenCV's view of the image's memory: valid while the tensor lives. Requires: dense rows.
cv::Mat as_mat(const at::Tensor& image);

/// Memory for an image of the dtype, channels and number of dimensions of `like`.
at::Tensor empty_image(const at::Tensor& like, int64_t h, int64_t w);

/// Throws DataError when OpenCV has not written into `result`, but into memory of its own: the image had
/// other channels than the operation is for.
void check_result(const cv::Mat& mat, const at::Tensor& result);

/// Calls `operation(source, result)` with the image and a new one of h x w, and returns that.
template <typename Operation>
at::Tensor with_mats(const at::Tensor& image, int64_t h, int64_t w, Operation operation) {
  const at::Tensor source = with_dense_rows(image);
  at::Tensor result = empty_image(image, h, w);
  cv::Mat to = as_mat(result);
  operation(as_mat(source), to);
  check_result(to, result);
  return result;
}

}  // namespace belfry::imgaug::internal
