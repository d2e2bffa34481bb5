#include "belfry/ops/operators.h"

#include "belfry/ops/call.h"
#include "belfry/ops/internal/scalar.h"

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
  return call("aten::reciprocal", {y}) * x;
}
Tensor operator-(const Tensor& x) {
  return call("aten::neg", {x});
}

}  // namespace belfry
