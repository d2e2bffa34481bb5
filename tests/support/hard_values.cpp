#include "tests/support/hard_values.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

namespace belfry::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Every `step`th element, from the second on.
std::function<at::Tensor(const at::Tensor&)> some(float value, int64_t step) {
  return [=](const at::Tensor& x) {
    const at::Tensor chosen = at::arange(x.numel()).remainder(step).eq(step > 1 ? 1 : 0).reshape(x.sizes());
    return at::where(chosen, value, x).to(x.scalar_type());
  };
}

at::Tensor both_infinities(const at::Tensor& x) {
  return some(-kInfinity, 5)(some(kInfinity, 3)(x));
}
at::Tensor denormal(const at::Tensor& x) {
  return x * 1e-39;
}
at::Tensor largest(const at::Tensor& x) {
  return at::sign(x) * std::numeric_limits<float>::max();
}

}  // namespace

const std::vector<ValueKind>& value_kinds() {
  static const std::vector<ValueKind> kinds = {
      {"ordinary"},
      {"NaN", some(std::numeric_limits<float>::quiet_NaN(), 7)},
      {"all NaN", some(std::numeric_limits<float>::quiet_NaN(), 1)},
      {"inf", some(kInfinity, 7)},
      {"-inf", some(-kInfinity, 7)},
      {"all -inf", some(-kInfinity, 1)},
      {"+-inf", both_infinities},
      {"zeros", [](const at::Tensor& x) { return at::zeros_like(x); }},
      {"-0", some(-0.f, 2)},
      {"denormal", denormal},
      {"largest", largest, std::nullopt, /*overflows=*/true},
      {"size 1", nullptr, 1},
      {"size 0", nullptr, 0}};
  return kinds;
}

std::vector<at::Tensor> inputs_of(const OpCase& op, const ValueKind& kind) {
  std::vector<at::Tensor> values;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    OpInput input = op.inputs[i];
    if (kind.size) {
      for (size_t axis : input.dynamic) input.sizes[axis] = *kind.size;
    }
    at::Tensor value = input.value(static_cast<int>(i));
    if (value.is_floating_point()) {
      value = value.to(at::kFloat);
      if (kind.change) value = kind.change(value);
    }
    values.push_back(value);
  }
  return values;
}

testing::AssertionResult same(const at::Tensor& actual, const at::Tensor& expected, const ValueKind& kind,
                              Tolerance tolerance) {
  if (actual.sizes() != expected.sizes()) return close(actual, expected, tolerance);
  at::Tensor a = actual.to(at::kDouble), e = expected.to(at::kDouble);
  const at::Tensor finite = at::isfinite(e),
                   alike =
                       kind.overflows
                           ? at::isfinite(a).eq(finite)
                           : finite.logical_or(
                                 at::isnan(e).eq(at::isnan(a)).logical_and(at::isnan(e).logical_or(a.eq(e))));
  // What is not finite and alike becomes 0 on both sides; what is not alike differs then.
  const at::Tensor left_out = finite.logical_not().logical_and(alike);
  a = at::where(left_out, 0.0, a);
  e = at::where(left_out, 0.0, e);
  return close(a, e, tolerance);
}

}  // namespace belfry::test
