#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

namespace belfry::test {

/// How far a number may be from the expected one: relative * |expected| + absolute.
struct Tolerance {
  double relative = 0;
  double absolute = 0;
};

/// The same formula in float32, in another order of operations.
inline constexpr Tolerance kSameFormula{.relative = 1e-6, .absolute = 1e-7};
/// Sums of many float32 products, in another order.
inline constexpr Tolerance kSameSums{.relative = 1e-5, .absolute = 1e-6};
/// A float64 derivative against differences of values.
inline constexpr Tolerance kNumericGradient{.relative = 1e-5, .absolute = 1e-7};

/// `EXPECT_TRUE(close(actual, expected, kSameFormula))`: same sizes, and each element within the tolerance.
/// The message names the worst element by its index, with both values, its error and the tolerance, and
/// counts the elements out of it. NaN is close to nothing.
testing::AssertionResult close(const at::Tensor& actual, const at::Tensor& expected, Tolerance tolerance);

}  // namespace belfry::test
