#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace belfry::cli {

/// Numbers a and b count as the same when |a - b| <= absolute + relative * max(|a|, |b|).
struct Tolerances {
  double relative = 0, absolute = 0;
};

/// How far two tensors of one shape and dtype are apart.
struct Difference {
  int64_t differing = 0;  ///< elements that are out of the tolerances
  /// Over those elements: the largest |a - b|, and |a - b| / max(|a|, |b|). Infinite where one is NaN, or
  /// infinite and the other not.
  double max_absolute = 0, max_relative = 0;
};

/// NaN equals NaN. With no tolerance integers are compared exactly, and so is everything else.
Difference difference_of(const at::Tensor& a, const at::Tensor& b, Tolerances tolerances);

}  // namespace belfry::cli
