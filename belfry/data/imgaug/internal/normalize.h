#pragma once

#include <ATen/core/Tensor.h>

#include <array>

namespace belfry::imgaug::internal {

/// Writes (x - mean) / std of each channel to `out`. `image`: contiguous uint8 or float32 [H, W, C] with at
/// most 3 channels, or [H, W]; `out`: contiguous float32 of the same shape.
void normalize(const at::Tensor& image, const std::array<double, 3>& mean, const std::array<double, 3>& std,
               const at::Tensor& out);

}  // namespace belfry::imgaug::internal
