#include "belfry/ops/math.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/call.h"
#include "belfry/ops/internal/scalar.h"
#include "belfry/ops/internal/sum_dtype.h"
#include "belfry/ops/state.h"

// One call for each operator: broadcasting and promotion are ATen's. Where TensorFlow has another meaning
// (floor division, reductions over no axes), the operator that has it is called.
namespace belfry {

using internal::attribute_of;

Tensor add(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::add.Tensor", {x, y}, {}, name);
}
Tensor subtract(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::sub.Tensor", {x, y}, {}, name);
}
Tensor multiply(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::mul.Tensor", {x, y}, {}, name);
}
Tensor divide(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::div.Tensor", {x, y}, {}, name);
}
Tensor floor_div(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::floor_divide", {x, y}, {}, name);
}
Tensor floor_div(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return call("aten::floor_divide.Scalar", {x}, {{"other", attribute_of(y)}}, name);
}
Tensor floor_mod(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::remainder.Tensor", {x, y}, {}, name);
}
Tensor floor_mod(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return call("aten::remainder.Scalar", {x}, {{"other", attribute_of(y)}}, name);
}
Tensor maximum(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::maximum", {x, y}, {}, name);
}
Tensor maximum(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return call("aten::clamp_min", {x}, {{"min", attribute_of(y)}}, name.empty() ? "maximum" : name);
}
Tensor minimum(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::minimum", {x, y}, {}, name);
}
Tensor minimum(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return call("aten::clamp_max", {x}, {{"max", attribute_of(y)}}, name.empty() ? "minimum" : name);
}
Tensor squared_difference(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("belfry::squared_difference", {x, y}, {}, name);
}
Tensor pow(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::pow.Tensor_Tensor", {x, y}, {}, name);
}
Tensor pow(const Tensor& x, const c10::Scalar& exponent, const std::string& name) {
  return call("aten::pow.Tensor_Scalar", {x}, {{"exponent", attribute_of(exponent)}}, name);
}
Tensor pow(const c10::Scalar& base, const Tensor& exponent, const std::string& name) {
  return call("aten::pow.Scalar", {exponent}, {{"self", attribute_of(base)}}, name);
}
Tensor atan2(const Tensor& y, const Tensor& x, const std::string& name) {
  return call("aten::atan2", {y, x}, {}, name);
}
Tensor add_n(const std::vector<Tensor>& tensors, const std::string& name) {
  return call("belfry::add_n", tensors, {}, name);
}

Tensor abs(const Tensor& x, const std::string& name) {
  return call("aten::abs", {x}, {}, name);
}
Tensor neg(const Tensor& x, const std::string& name) {
  return call("aten::neg", {x}, {}, name);
}
Tensor sign(const Tensor& x, const std::string& name) {
  return call("aten::sign", {x}, {}, name);
}
Tensor exp(const Tensor& x, const std::string& name) {
  return call("aten::exp", {x}, {}, name);
}
Tensor expm1(const Tensor& x, const std::string& name) {
  return call("aten::expm1", {x}, {}, name);
}
Tensor log(const Tensor& x, const std::string& name) {
  return call("aten::log", {x}, {}, name);
}
Tensor log1p(const Tensor& x, const std::string& name) {
  return call("aten::log1p", {x}, {}, name);
}
Tensor sqrt(const Tensor& x, const std::string& name) {
  return call("aten::sqrt", {x}, {}, name);
}
Tensor rsqrt(const Tensor& x, const std::string& name) {
  return call("aten::rsqrt", {x}, {}, name);
}
Tensor square(const Tensor& x, const std::string& name) {
  return call("aten::square", {x}, {}, name);
}
Tensor reciprocal(const Tensor& x, const std::string& name) {
  return call("aten::reciprocal", {x}, {}, name);
}
Tensor sin(const Tensor& x, const std::string& name) {
  return call("aten::sin", {x}, {}, name);
}
Tensor cos(const Tensor& x, const std::string& name) {
  return call("aten::cos", {x}, {}, name);
}
Tensor tan(const Tensor& x, const std::string& name) {
  return call("aten::tan", {x}, {}, name);
}
Tensor asin(const Tensor& x, const std::string& name) {
  return call("aten::asin", {x}, {}, name);
}
Tensor acos(const Tensor& x, const std::string& name) {
  return call("aten::acos", {x}, {}, name);
}
Tensor atan(const Tensor& x, const std::string& name) {
  return call("aten::atan", {x}, {}, name);
}
Tensor sinh(const Tensor& x, const std::string& name) {
  return call("aten::sinh", {x}, {}, name);
}
Tensor cosh(const Tensor& x, const std::string& name) {
  return call("aten::cosh", {x}, {}, name);
}
Tensor asinh(const Tensor& x, const std::string& name) {
  return call("aten::asinh", {x}, {}, name);
}
Tensor acosh(const Tensor& x, const std::string& name) {
  return call("aten::acosh", {x}, {}, name);
}
Tensor atanh(const Tensor& x, const std::string& name) {
  return call("aten::atanh", {x}, {}, name);
}
Tensor erf(const Tensor& x, const std::string& name) {
  return call("aten::erf", {x}, {}, name);
}
Tensor floor(const Tensor& x, const std::string& name) {
  return call("aten::floor", {x}, {}, name);
}
Tensor ceil(const Tensor& x, const std::string& name) {
  return call("aten::ceil", {x}, {}, name);
}
Tensor round(const Tensor& x, const std::string& name) {
  return call("aten::round", {x}, {}, name);
}

Tensor equal(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::eq.Tensor", {x, y}, {}, name);
}
Tensor not_equal(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::ne.Tensor", {x, y}, {}, name);
}
Tensor less(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::lt.Tensor", {x, y}, {}, name);
}
Tensor less_equal(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::le.Tensor", {x, y}, {}, name);
}
Tensor greater(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::gt.Tensor", {x, y}, {}, name);
}
Tensor greater_equal(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::ge.Tensor", {x, y}, {}, name);
}
namespace {

/// ATen wraps a number that the dtype of `x` has not into one that it has.
Tensor compare(const char* op, const Tensor& x, const c10::Scalar& y, const std::string& name) {
  const bool whole =
      c10::isIntegralType(x.dtype(), /*includeBool=*/false) && y.isIntegral(/*includeBool=*/false);
  const bool fits = !whole || internal::has_integer(x.dtype(), y.toLong());
  return call(op, {fits ? x : cast(x, kInt64)}, {{"other", attribute_of(y)}}, name);
}

}  // namespace

Tensor equal(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return compare("aten::eq.Scalar", x, y, name);
}
Tensor not_equal(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return compare("aten::ne.Scalar", x, y, name);
}
Tensor less(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return compare("aten::lt.Scalar", x, y, name);
}
Tensor less_equal(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return compare("aten::le.Scalar", x, y, name);
}
Tensor greater(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return compare("aten::gt.Scalar", x, y, name);
}
Tensor greater_equal(const Tensor& x, const c10::Scalar& y, const std::string& name) {
  return compare("aten::ge.Scalar", x, y, name);
}
Tensor logical_and(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::logical_and", {x, y}, {}, name);
}
Tensor logical_or(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::logical_or", {x, y}, {}, name);
}
Tensor logical_xor(const Tensor& x, const Tensor& y, const std::string& name) {
  return call("aten::logical_xor", {x, y}, {}, name);
}
Tensor logical_not(const Tensor& x, const std::string& name) {
  return call("aten::logical_not", {x}, {}, name);
}
Tensor is_nan(const Tensor& x, const std::string& name) {
  return call("aten::isnan", {x}, {}, name);
}
Tensor is_inf(const Tensor& x, const std::string& name) {
  return call("aten::isinf", {x}, {}, name);
}
Tensor is_finite(const Tensor& x, const std::string& name) {
  return call("aten::isfinite", {x}, {}, name);
}

namespace {

/// The nearest number to `value` that `dtype`, of integers, has.
int64_t within(DType dtype, const c10::Scalar& value) {
  const bool is_unsigned = dtype == kUInt8;
  const int bits = 8 * static_cast<int>(c10::elementSize(dtype)) - (is_unsigned ? 0 : 1);
  const auto highest = static_cast<int64_t>((uint64_t{1} << bits) - 1);
  const int64_t lowest = is_unsigned ? 0 : -highest - 1;
  if (!value.isFloatingPoint()) return std::clamp(value.toLong(), lowest, highest);
  const double number = value.toDouble();
  if (number <= static_cast<double>(lowest)) return lowest;
  return number >= static_cast<double>(highest) ? highest : static_cast<int64_t>(number);
}

/// A limit of the dtype of `x`.
Attribute limit_for(const Tensor& x, const c10::Scalar& value, const std::string& name) {
  if (!c10::isIntegralType(x.dtype(), /*includeBool=*/false)) return value.toDouble();
  const bool whole = !value.isFloatingPoint() || std::isinf(value.toDouble()) ||
                     std::trunc(value.toDouble()) == value.toDouble();
  if (!whole) {
    throw UsageError(fmt::format("[clip_by_value {}] expected whole numbers as limits of {}, got {}", name,
                                 describe(x), value.toDouble()));
  }
  return within(x.dtype(), value);
}

}  // namespace

Tensor clip_by_value(const Tensor& x, const c10::Scalar& min, const c10::Scalar& max,
                     const std::string& name) {
  return call("aten::clamp", {x}, {{"min", limit_for(x, min, name)}, {"max", limit_for(x, max, name)}}, name);
}
Tensor clip_by_norm(const Tensor& x, double max_norm, const std::string& name) {
  return call("belfry::clip_by_norm", {x}, {{"max_norm", max_norm}}, name);
}

namespace {
std::vector<Tensor> defined_of(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& tensor : tensors) {
    if (tensor.defined()) result.push_back(tensor);
  }
  return result;
}
}  // namespace

Tensor global_norm(const std::vector<Tensor>& tensors, const std::string& name) {
  return call("belfry::global_norm", defined_of(tensors), {}, name);
}

std::pair<std::vector<Tensor>, Tensor> clip_by_global_norm(const std::vector<Tensor>& tensors,
                                                           double max_norm, const std::string& name) {
  if (!(max_norm > 0)) {
    throw UsageError(
        fmt::format("[clip_by_global_norm {}] expected a positive norm, got {}", name, max_norm));
  }
  NameScope scope(name.empty() ? "clip_by_global_norm" : name);
  const Tensor norm = global_norm(tensors);
  // norm - norm is NaN for a norm that is not finite, else 0.
  const Tensor scale = max_norm / call("aten::clamp_min", {norm}, {{"min", max_norm}}) + (norm - norm);
  std::vector<Tensor> clipped;
  for (const Tensor& tensor : tensors) clipped.push_back(tensor.defined() ? tensor * scale : tensor);
  return {clipped, norm};
}

Tensor matmul(const Tensor& a, const Tensor& b, const std::string& name) {
  return call("aten::matmul", {a, b}, {}, name);
}
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulAttributes& attributes, const std::string& name) {
  auto transposed = [](const Tensor& x) { return call("aten::mT", {x}, {}, "transpose"); };
  return matmul(attributes.transpose_a ? transposed(a) : a, attributes.transpose_b ? transposed(b) : b, name);
}
Tensor einsum(const std::string& equation, const std::vector<Tensor>& tensors, const std::string& name) {
  return call("aten::einsum", {}, {{"equation", equation}, {"tensors", tensors}}, name);
}
Tensor tensordot(const Tensor& a, const Tensor& b, int64_t axes, const std::string& name) {
  std::vector<int64_t> a_axes, b_axes;
  for (int64_t i = 0; i < axes; ++i) {
    a_axes.push_back(i - axes);
    b_axes.push_back(i);
  }
  return tensordot(a, b, a_axes, b_axes, name);
}
Tensor tensordot(const Tensor& a, const Tensor& b, const std::vector<int64_t>& a_axes,
                 const std::vector<int64_t>& b_axes, const std::string& name) {
  return call("aten::tensordot", {a, b}, {{"dims_self", a_axes}, {"dims_other", b_axes}}, name);
}
Tensor cumsum(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::cumsum", {x}, {{"dim", axis}, {"dtype", internal::sum_dtype(x)}}, name);
}
Tensor cumprod(const Tensor& x, int64_t axis, const std::string& name) {
  return call("aten::cumprod", {x}, {{"dim", axis}, {"dtype", internal::sum_dtype(x)}}, name);
}
Tensor cast(const Tensor& x, DType dtype, const std::string& name) {
  if (x.dtype() == dtype) return identity(x, name.empty() ? "cast" : name);
  return call("aten::_to_copy", {x}, {{"dtype", dtype}}, name.empty() ? "cast" : name);
}

}  // namespace belfry
