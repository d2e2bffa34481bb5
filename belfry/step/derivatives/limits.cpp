#include <cmath>

#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of functions that have a kink or an edge, as the kernels of belfry/ops/kernels/limits.cpp have
// them: what lies exactly on a limit still moves, the first of two equal tensors is the maximum, and a base
// that has no logarithm passes nothing to its exponent. NaN lies on no side of a limit.

namespace belfry::internal {
namespace {

/// What larger_or_equal(x, y) says goes to the first, the rest to the second.
template <Tensor (*first_wins)(const Tensor&, const Tensor&, const std::string&)>
bool extreme(Backprop& b) {
  const Tensor first = first_wins(b.input("self"), b.input("other"), "");
  b.give("self", where(first, b.gradient(), 0));
  b.give("other", where(first, 0, b.gradient()));
  return true;
}

/// Nothing where the limit is none.
Tensor within(const Tensor& g, const Tensor& x, const c10::IValue& min, const c10::IValue& max) {
  Tensor result = g;
  if (!min.isNone()) result = where(greater_equal(x, min.toScalar()), result, 0);
  if (!max.isNone()) result = where(less_equal(x, max.toScalar()), result, 0);
  return result;
}

bool clamp(Backprop& b) {
  b.give("self", within(b.gradient(), b.input("self"), b.attribute("min"), b.attribute("max")));
  return true;
}

bool clamp_min(Backprop& b) {
  b.give("self", within(b.gradient(), b.input("self"), b.attribute("min"), {}));
  return true;
}

bool clamp_max(Backprop& b) {
  b.give("self", within(b.gradient(), b.input("self"), {}, b.attribute("max")));
  return true;
}

/// By the base n x^(n - 1), and nothing where n is 0; by the exponent y log(x), and nothing where x has no
/// logarithm.
bool power(Backprop& b) {
  const Tensor x = b.input("self"), exponent = b.input("exponent");
  if (b.wants("self")) {
    const Tensor by_base = b.gradient() * exponent * pow(x, exponent - 1);
    b.give("self", where(equal(exponent, 0), 0, by_base));
  }
  if (b.wants("exponent")) {
    const Tensor positive = greater(x, 0), logarithm = log(where(positive, x, 1));
    b.give("exponent", b.gradient() * b.output() * logarithm);
  }
  return true;
}

bool power_of_number(Backprop& b) {
  const double base = b.number("self");
  b.give("exponent", b.gradient() * b.output() * (base > 0 ? std::log(base) : 0.0));
  return true;
}

bool selu(Backprop& b) {
  constexpr double kAlpha = 1.6732632423543772848170429916717, kScale = 1.0507009873554804934193349852946;
  b.give("self", b.gradient() * where(less(b.input("self"), 0), b.output() + kScale * kAlpha, kScale));
  return true;
}

/// relu(x) + alpha min(x, 0), of which nothing moves at 0.
bool prelu(Backprop& b) {
  const Tensor x = b.input("x"), g = b.gradient();
  if (b.wants("x")) b.give("x", where(less(x, 0), g * b.input("alpha"), where(equal(x, 0), 0, g)));
  if (b.wants("alpha")) b.give("alpha", g * minimum(x, 0));
  return true;
}

}  // namespace

void add_limit_derivatives(DerivativeRules& rules) {
  rules["aten::maximum"] = extreme<greater_equal>;
  rules["aten::minimum"] = extreme<less_equal>;
  rules["aten::clamp"] = clamp;
  rules["aten::clamp_min"] = clamp_min;
  rules["aten::clamp_max"] = clamp_max;
  rules["aten::pow.Tensor_Tensor"] = power;
  rules["aten::pow.Scalar"] = power_of_number;
  rules["aten::selu"] = selu;
  rules["belfry::prelu"] = prelu;
}

}  // namespace belfry::internal
