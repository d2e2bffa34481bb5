#include "belfry/ops/array.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of sums and means: the gradient of each result goes to all elements that it came from.

namespace belfry::internal {
namespace {

/// By a reduction over some axes, spread again over the input's shape.
Tensor spread(const Tensor& reduced, const Shape& shape, const std::vector<int64_t>& axes) {
  Shape kept = shape;
  for (int64_t axis : axes) kept[static_cast<size_t>(axis)] = 1;
  const Tensor x = reduced.shape() == kept ? reduced : reshape(reduced, kept);
  return kept == shape ? x : broadcast_to(x, shape);
}

std::vector<int64_t> axes_of(const Backprop& b) {
  const c10::IValue& axes = b.attribute("dim");
  return positive_axes(axes.isNone() ? std::vector<int64_t>() : axes.toIntVector(), b.input("self").rank());
}

double count_along(const Shape& shape, const std::vector<int64_t>& axes) {
  double count = 1;
  for (int64_t axis : axes) count *= static_cast<double>(shape[static_cast<size_t>(axis)]);
  return count;
}

bool sum(Backprop& b) {
  const Shape& shape = b.input("self").shape();
  b.give("self", spread(b.gradient(), shape, axes_of(b)));
  return true;
}

bool mean(Backprop& b) {
  const Shape& shape = b.input("self").shape();
  const auto axes = axes_of(b);
  b.give("self", spread(b.gradient() / count_along(shape, axes), shape, axes));
  return true;
}

bool sum_all(Backprop& b) {
  const Shape& shape = b.input("self").shape();
  b.give("self", spread(b.gradient(), shape, positive_axes({}, b.input("self").rank())));
  return true;
}

bool mean_all(Backprop& b) {
  const Shape& shape = b.input("self").shape();
  const auto axes = positive_axes({}, b.input("self").rank());
  b.give("self", spread(b.gradient() / count_along(shape, axes), shape, axes));
  return true;
}

bool logsumexp(Backprop& b) {
  const Tensor x = b.input("self");
  const auto axes = axes_of(b);
  b.give("self", spread(b.gradient(), x.shape(), axes) * exp(x - spread(b.output(), x.shape(), axes)));
  return true;
}

}  // namespace

void add_reduction_derivatives(DerivativeRules& rules) {
  rules["aten::sum"] = sum_all;
  rules["aten::sum.dim_IntList"] = sum;
  rules["aten::mean"] = mean_all;
  rules["aten::mean.dim"] = mean;
  rules["aten::logsumexp"] = logsumexp;
}

}  // namespace belfry::internal
