#pragma once

#include <c10/core/Scalar.h>

#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/ops/operators.h"

namespace belfry {

// Element by element. Functions of two tensors broadcast as in numpy and promote dtypes as in PyTorch.

Tensor add(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor subtract(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor multiply(const Tensor& x, const Tensor& y, const std::string& name = "");
/// True division: integers give float32.
Tensor divide(const Tensor& x, const Tensor& y, const std::string& name = "");
/// Division rounded towards minus infinity: floor(x / y), and so 10 for 1.0 and 0.1. Integers divided by 0
/// are an error when the graph runs. Like floor, it has no gradient.
Tensor floor_div(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor floor_div(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
/// Remainder with the sign of `y`, as Python's %: 0.1 for 1.0 and 0.1, though their quotient is whole.
/// Integers divided by 0 are an error when the graph runs.
Tensor floor_mod(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor floor_mod(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
/// The gradient belongs to `x` where both are equal, as it does to what is equal to a number.
Tensor maximum(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor maximum(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor minimum(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor minimum(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor squared_difference(const Tensor& x, const Tensor& y, const std::string& name = "");
/// Of integers, a negative exponent is an error when the graph runs. The gradient by the exponent is 0 where
/// the base has no logarithm.
Tensor pow(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor pow(const Tensor& x, const c10::Scalar& exponent, const std::string& name = "");
Tensor pow(const c10::Scalar& base, const Tensor& exponent, const std::string& name = "");
/// The angle of the point (x, y), in (-pi, pi].
Tensor atan2(const Tensor& y, const Tensor& x, const std::string& name = "");
/// The sum of any number of tensors of one shape.
Tensor add_n(const std::vector<Tensor>& tensors, const std::string& name = "");

Tensor abs(const Tensor& x, const std::string& name = "");
Tensor neg(const Tensor& x, const std::string& name = "");
Tensor sign(const Tensor& x, const std::string& name = "");
Tensor exp(const Tensor& x, const std::string& name = "");
Tensor expm1(const Tensor& x, const std::string& name = "");
Tensor log(const Tensor& x, const std::string& name = "");
Tensor log1p(const Tensor& x, const std::string& name = "");
Tensor sqrt(const Tensor& x, const std::string& name = "");
/// 1 / sqrt(x)
Tensor rsqrt(const Tensor& x, const std::string& name = "");
Tensor square(const Tensor& x, const std::string& name = "");
Tensor reciprocal(const Tensor& x, const std::string& name = "");
Tensor sin(const Tensor& x, const std::string& name = "");
Tensor cos(const Tensor& x, const std::string& name = "");
Tensor tan(const Tensor& x, const std::string& name = "");
Tensor asin(const Tensor& x, const std::string& name = "");
Tensor acos(const Tensor& x, const std::string& name = "");
Tensor atan(const Tensor& x, const std::string& name = "");
Tensor sinh(const Tensor& x, const std::string& name = "");
Tensor cosh(const Tensor& x, const std::string& name = "");
Tensor asinh(const Tensor& x, const std::string& name = "");
Tensor acosh(const Tensor& x, const std::string& name = "");
Tensor atanh(const Tensor& x, const std::string& name = "");
Tensor erf(const Tensor& x, const std::string& name = "");
Tensor floor(const Tensor& x, const std::string& name = "");
Tensor ceil(const Tensor& x, const std::string& name = "");
/// Halves go to the even neighbour.
Tensor round(const Tensor& x, const std::string& name = "");

// Comparisons and logic: results are bool.

Tensor equal(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor not_equal(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor less(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor less_equal(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor greater(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor greater_equal(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor equal(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor not_equal(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor less(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor less_equal(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor greater(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor greater_equal(const Tensor& x, const c10::Scalar& y, const std::string& name = "");
Tensor logical_and(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor logical_or(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor logical_xor(const Tensor& x, const Tensor& y, const std::string& name = "");
Tensor logical_not(const Tensor& x, const std::string& name = "");
Tensor is_nan(const Tensor& x, const std::string& name = "");
Tensor is_inf(const Tensor& x, const std::string& name = "");
Tensor is_finite(const Tensor& x, const std::string& name = "");

// Limits.

/// `x` within [min, max], in its own dtype: integers take whole limits only. What lies on a limit keeps its
/// gradient. Where min > max all becomes max.
Tensor clip_by_value(const Tensor& x, const c10::Scalar& min, const c10::Scalar& max,
                     const std::string& name = "");
/// `x` scaled down, where needed, to an L2 norm (over all elements) of at most `max_norm`, which must be
/// positive.
Tensor clip_by_norm(const Tensor& x, double max_norm, const std::string& name = "");
/// The L2 norm of all elements of all tensors; none among them are skipped.
Tensor global_norm(const std::vector<Tensor>& tensors, const std::string& name = "");
/// Every tensor times max_norm / max(global_norm, max_norm), and the global norm. None stay none. `max_norm`
/// must be positive. Where the global norm is not finite all results are NaN, as in TensorFlow.
std::pair<std::vector<Tensor>, Tensor> clip_by_global_norm(const std::vector<Tensor>& tensors,
                                                           double max_norm, const std::string& name = "");

// Products.

struct MatmulAttributes {
  bool transpose_a = false;
  bool transpose_b = false;
};

/// Matrix product of the last two dimensions; leading dimensions are batches and broadcast.
Tensor matmul(const Tensor& a, const Tensor& b, const std::string& name = "");
/// As above, of matrices transposed first.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulAttributes& attributes,
              const std::string& name = "");
/// `einsum("bij,bjk->bik", {a, b})`
Tensor einsum(const std::string& equation, const std::vector<Tensor>& tensors, const std::string& name = "");

/// Contracts the last `axes` dimensions of `a` with the first ones of `b`.
Tensor tensordot(const Tensor& a, const Tensor& b, int64_t axes, const std::string& name = "");
/// Contracts dimension a_axes[i] of `a` with dimension b_axes[i] of `b`.
Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int64_t>& a_axes,
                 const std::vector<int64_t>& b_axes, const std::string& name = "");

/// Sum, and product, of the elements up to each, along `axis`. Integers keep their dtype.
Tensor cumsum(const Tensor& x, int64_t axis, const std::string& name = "");
Tensor cumprod(const Tensor& x, int64_t axis, const std::string& name = "");

Tensor cast(const Tensor& x, DType dtype, const std::string& name = "");

}  // namespace belfry
