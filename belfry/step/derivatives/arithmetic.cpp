#include <numbers>

#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of arithmetic and elementary functions, element by element. What broadcasting repeats is summed
// where a result is given (Backprop::give).

namespace belfry::internal {
namespace {

double alpha(const Backprop& b) {
  return b.number("alpha");
}

Tensor scaled(const Tensor& x, double factor) {
  return factor == 1 ? x : x * factor;
}

bool add(Backprop& b) {
  b.give("self", b.gradient());
  b.give("other", scaled(b.gradient(), alpha(b)));
  return true;
}

bool subtract(Backprop& b) {
  b.give("self", b.gradient());
  b.give("other", scaled(b.gradient(), -alpha(b)));
  return true;
}

bool add_number(Backprop& b) {
  b.give("self", b.gradient());
  return true;
}

bool subtract_from_number(Backprop& b) {
  b.give("self", scaled(b.gradient(), -alpha(b)));
  return true;
}

bool multiply(Backprop& b) {
  b.give("self", b.gradient() * b.input("other"));
  b.give("other", b.gradient() * b.input("self"));
  return true;
}

bool multiply_by_number(Backprop& b) {
  b.give("self", b.gradient() * b.attribute("other").toScalar());
  return true;
}

bool divide(Backprop& b) {
  const Tensor by_self = b.gradient() / b.input("other");
  b.give("self", by_self);
  b.give("other", -(by_self * b.output()));
  return true;
}

bool divide_by_number(Backprop& b) {
  b.give("self", b.gradient() / b.attribute("other").toScalar());
  return true;
}

bool squared_difference(Backprop& b) {
  const Tensor g = b.gradient() * (b.input("x") - b.input("y")) * 2;
  b.give("x", g);
  b.give("y", -g);
  return true;
}

bool add_n(Backprop& b) {
  for (size_t i = 0; i < b.node().inputs().size(); ++i) b.give(i, b.gradient());
  return true;
}

/// x^n; as ATen, nothing where n is 0, whatever x is.
bool pow_number(Backprop& b) {
  const double exponent = b.number("exponent");
  const Tensor x = b.input("self");
  if (exponent == 0) return true;
  b.give("self", exponent == 2 ? b.gradient() * x * 2 : b.gradient() * pow(x, exponent - 1) * exponent);
  return true;
}

/// x - y floor(x / y), whose quotient stays the same.
bool floor_mod(Backprop& b) {
  b.give("self", b.gradient());
  if (b.wants("other")) b.give("other", -(b.gradient() * floor(b.input("self") / b.input("other"))));
  return true;
}

/// Nothing at the origin.
bool atan2(Backprop& b) {
  const Tensor y = b.input("self"), x = b.input("other");
  const Tensor squares = square(y) + square(x);
  const Tensor g = where(equal(squares, 0), 0, b.gradient() / squares);
  b.give("self", g * x);
  b.give("other", -(g * y));
  return true;
}

bool pass_on(Backprop& b) {
  b.give("self", b.gradient());
  return true;
}

/// As ATen, the sign of nothing that is not a number stays out of it: zeros there, but for NaN.
bool where(Backprop& b) {
  const Tensor condition = b.input("condition"), nothing = zeros_like(b.gradient());
  b.give("self", belfry::where(condition, b.gradient(), nothing));
  b.give("other", belfry::where(condition, nothing, b.gradient()));
  return true;
}

bool where_self(Backprop& b) {
  b.give("self", belfry::where(b.input("condition"), b.gradient(), 0));
  return true;
}

bool where_other(Backprop& b) {
  b.give("other", belfry::where(b.input("condition"), 0, b.gradient()));
  return true;
}

/// Of a function of one tensor, `self`: what `Derivative()(gradient, x, y)` gives.
template <typename Derivative>
DerivativeRule function(Derivative) {
  return [](Backprop& b) {
    b.give("self", Derivative()(b.gradient(), b.input("self"), b.output()));
    return true;
  };
}

}  // namespace

void add_arithmetic_derivatives(DerivativeRules& rules) {
  rules["aten::add.Tensor"] = add;
  rules["aten::add.Scalar"] = add_number;
  rules["aten::sub.Tensor"] = subtract;
  rules["aten::sub.Scalar"] = add_number;
  rules["aten::rsub.Scalar"] = subtract_from_number;
  rules["aten::mul.Tensor"] = multiply;
  rules["aten::mul.Scalar"] = multiply_by_number;
  rules["aten::div.Tensor"] = divide;
  rules["aten::div.Scalar"] = divide_by_number;
  rules["belfry::squared_difference"] = squared_difference;
  rules["belfry::add_n"] = add_n;
  rules["aten::pow.Tensor_Scalar"] = pow_number;
  rules["aten::remainder.Tensor"] = floor_mod;
  rules["aten::remainder.Scalar"] = pass_on;
  rules["aten::atan2"] = atan2;
  rules["aten::_to_copy"] = pass_on;
  rules["aten::where.self"] = where;
  rules["aten::where.ScalarOther"] = where_self;
  rules["aten::where.ScalarSelf"] = where_other;
  using T = const Tensor&;
  rules["aten::neg"] = function([](T g, T, T) { return -g; });
  rules["aten::abs"] = function([](T g, T x, T) { return g * sign(x); });
  rules["aten::square"] = function([](T g, T x, T) { return g * x * 2; });
  rules["aten::sqrt"] = function([](T g, T, T y) { return g / (y * 2); });
  rules["aten::rsqrt"] = function([](T g, T, T y) { return g * pow(y, 3) * -0.5; });
  rules["aten::reciprocal"] = function([](T g, T, T y) { return -(g * square(y)); });
  rules["aten::exp"] = function([](T g, T, T y) { return g * y; });
  rules["aten::expm1"] = function([](T g, T, T y) { return g * (y + 1); });
  rules["aten::log"] = function([](T g, T x, T) { return g / x; });
  rules["aten::log1p"] = function([](T g, T x, T) { return g / (x + 1); });
  rules["aten::sin"] = function([](T g, T x, T) { return g * cos(x); });
  rules["aten::log10"] = function([](T g, T x, T) { return g / (x * std::numbers::ln10); });
  rules["aten::cos"] = function([](T g, T x, T) { return -(g * sin(x)); });
  rules["aten::tan"] = function([](T g, T, T y) { return g * (square(y) + 1); });
  rules["aten::asin"] = function([](T g, T x, T) { return g * rsqrt(1 - square(x)); });
  rules["aten::acos"] = function([](T g, T x, T) { return -(g * rsqrt(1 - square(x))); });
  rules["aten::atan"] = function([](T g, T x, T) { return g / (square(x) + 1); });
  rules["aten::sinh"] = function([](T g, T x, T) { return g * cosh(x); });
  rules["aten::cosh"] = function([](T g, T x, T) { return g * sinh(x); });
  rules["aten::asinh"] = function([](T g, T x, T) { return g * rsqrt(square(x) + 1); });
  rules["aten::acosh"] = function([](T g, T x, T) { return g * rsqrt(square(x) - 1); });
  rules["aten::atanh"] = function([](T g, T x, T) { return g / (1 - square(x)); });
  rules["aten::erf"] =
      function([](T g, T x, T) { return g * exp(-square(x)) * (2 * std::numbers::inv_sqrtpi); });
}

}  // namespace belfry::internal
