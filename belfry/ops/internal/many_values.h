#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Sums of so many values that ATen's kernels, which add them up one by one in float32, lose digits.

namespace belfry::internal {

/// As many as such a kernel adds up with an error below 1e-5.
inline constexpr int64_t kManyValues = 65536;

/// The L2 norm of all elements.
at::Tensor norm_of_all(const at::Tensor& x);

at::Tensor softmax(const at::Tensor& x, int64_t dim);
at::Tensor log_softmax(const at::Tensor& x, int64_t dim);

}  // namespace belfry::internal
