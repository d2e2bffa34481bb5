#include "belfry/ops/operators.h"

#include "belfry/ops/call.h"
#include "belfry/ops/internal/scalar.h"
#include "belfry/ops/math.h"
#include "belfry/ops/state.h"

namespace belfry {

using internal::attribute_of;

Tensor operator+(const Tensor& x, const Tensor& y) {
  return call("aten::add.Tensor", {x, y});
}
Tensor operator+(const Tensor& x, const c10::Scalar& y) {
  return call("aten::add.Scalar", {x}, {{"other", attribute_of(y)}});
}
Tensor operator+(const c10::Scalar& x, const Tensor& y) {
  return y + x;
}
Tensor operator-(const Tensor& x, const Tensor& y) {
  return call("aten::sub.Tensor", {x, y});
}
Tensor operator-(const Tensor& x, const c10::Scalar& y) {
  return call("aten::sub.Scalar", {x}, {{"other", attribute_of(y)}});
}
Tensor operator-(const c10::Scalar& x, const Tensor& y) {
  return call("aten::rsub.Scalar", {y}, {{"other", attribute_of(x)}}, "sub");
}
Tensor operator*(const Tensor& x, const Tensor& y) {
  return call("aten::mul.Tensor", {x, y});
}
Tensor operator*(const Tensor& x, const c10::Scalar& y) {
  return call("aten::mul.Scalar", {x}, {{"other", attribute_of(y)}});
}
Tensor operator*(const c10::Scalar& x, const Tensor& y) {
  return y * x;
}
Tensor operator/(const Tensor& x, const Tensor& y) {
  return call("aten::div.Tensor", {x, y});
}
Tensor operator/(const Tensor& x, const c10::Scalar& y) {
  return call("aten::div.Scalar", {x}, {{"other", attribute_of(y)}});
}
Tensor operator/(const c10::Scalar& x, const Tensor& y) {
  const DType dtype = c10::isFloatingType(y.dtype()) ? y.dtype() : kFloat32;
  return constant(x, dtype) / y;
}
Tensor operator-(const Tensor& x) {
  return call("aten::neg", {x});
}

Tensor& operator+=(Tensor& x, const Tensor& y) {
  return x = x + y;
}
Tensor& operator+=(Tensor& x, const c10::Scalar& y) {
  return x = x + y;
}
Tensor& operator-=(Tensor& x, const Tensor& y) {
  return x = x - y;
}
Tensor& operator-=(Tensor& x, const c10::Scalar& y) {
  return x = x - y;
}
Tensor& operator*=(Tensor& x, const Tensor& y) {
  return x = x * y;
}
Tensor& operator*=(Tensor& x, const c10::Scalar& y) {
  return x = x * y;
}
Tensor& operator/=(Tensor& x, const Tensor& y) {
  return x = x / y;
}
Tensor& operator/=(Tensor& x, const c10::Scalar& y) {
  return x = x / y;
}

Tensor operator<(const Tensor& x, const Tensor& y) {
  return less(x, y);
}
Tensor operator<(const Tensor& x, const c10::Scalar& y) {
  return less(x, y);
}
Tensor operator<(const c10::Scalar& x, const Tensor& y) {
  return greater(y, x);
}
Tensor operator<=(const Tensor& x, const Tensor& y) {
  return less_equal(x, y);
}
Tensor operator<=(const Tensor& x, const c10::Scalar& y) {
  return less_equal(x, y);
}
Tensor operator<=(const c10::Scalar& x, const Tensor& y) {
  return greater_equal(y, x);
}
Tensor operator>(const Tensor& x, const Tensor& y) {
  return greater(x, y);
}
Tensor operator>(const Tensor& x, const c10::Scalar& y) {
  return greater(x, y);
}
Tensor operator>(const c10::Scalar& x, const Tensor& y) {
  return less(y, x);
}
Tensor operator>=(const Tensor& x, const Tensor& y) {
  return greater_equal(x, y);
}
Tensor operator>=(const Tensor& x, const c10::Scalar& y) {
  return greater_equal(x, y);
}
Tensor operator>=(const c10::Scalar& x, const Tensor& y) {
  return less_equal(y, x);
}

}  // namespace belfry
