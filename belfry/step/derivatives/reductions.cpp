#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of sums, means and other reductions: the gradient of each result goes to all elements that it
// came from.

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

/// Shared by all that are as large as the largest; NaN where none is.
bool extreme(Backprop& b) {
  const Tensor x = b.input("self");
  const auto axes = axes_of(b);
  const Tensor chosen = cast(equal(x, spread(b.output(), x.shape(), axes)), x.dtype());
  const Tensor count = call("aten::sum.dim_IntList", {chosen}, {{"dim", axes}, {"keepdim", true}});
  b.give("self", chosen * spread(reshape(b.gradient(), count.shape()) / count, x.shape(), axes));
  return true;
}

/// What multiplies x less its mean in the gradient by a variance.
Tensor by_variance(const Backprop& b, const Tensor& g, const std::vector<int64_t>& axes) {
  const c10::IValue& given = b.attribute("correction");
  const double correction = given.isNone() ? 1 : given.toScalar().toDouble();
  return g * (2 / (count_along(b.input("self").shape(), axes) - correction));
}

bool variance(Backprop& b) {
  const Tensor x = b.input("self");
  const auto axes = axes_of(b);
  const Tensor centred = x - belfry::mean(x, axes, {.keep_dims = true});
  b.give("self", centred * spread(by_variance(b, b.gradient(), axes), x.shape(), axes));
  return true;
}

/// Nothing where all elements are equal.
bool standard_deviation(Backprop& b) {
  const Tensor x = b.input("self"), y = b.output();
  const auto axes = axes_of(b);
  const Tensor centred = x - belfry::mean(x, axes, {.keep_dims = true});
  const Tensor g = where(equal(y, 0), 0, b.gradient() / (y * 2));
  b.give("self", centred * spread(by_variance(b, g, axes), x.shape(), axes));
  return true;
}

bool variance_and_mean(Backprop& b) {
  const Tensor x = b.input("self"), by_mean = b.gradient(1);
  const auto axes = axes_of(b);
  if (b.gradient(0).defined()) {
    const Tensor centred = x - spread(b.output(1), x.shape(), axes);
    b.give("self", centred * spread(by_variance(b, b.gradient(0), axes), x.shape(), axes));
  }
  if (by_mean.defined()) b.give("self", spread(by_mean / count_along(x.shape(), axes), x.shape(), axes));
  return true;
}

/// Of order 2; nothing where it is 0.
bool norm(Backprop& b) {
  if (b.number("ord") != 2) return false;
  const Tensor x = b.input("self");
  const Tensor along = where(equal(b.output(), 0), 0, b.gradient() / b.output());
  b.give("self", x * spread(along, x.shape(), axes_of(b)));
  return true;
}

bool prod(Backprop& b) {
  const Tensor x = b.input("x");
  const auto axes = positive_axes(b.integers("axes"), x.rank());
  Shape kept = x.shape();
  for (int64_t axis : axes) kept[static_cast<size_t>(axis)] = 1;
  b.give("x", call("belfry::prod_backprop", {reshape(b.gradient(), kept), x}, {{"axes", axes}}));
  return true;
}

/// Of each element to itself and all before it.
bool cumsum(Backprop& b) {
  const int64_t axis = b.attribute("dim").toInt();
  if (b.gradient().rank() == 0) {
    b.give("self", b.gradient());
    return true;
  }
  b.give("self", reverse(belfry::cumsum(reverse(b.gradient(), {axis}), axis), {axis}));
  return true;
}

bool cumprod(Backprop& b) {
  b.give("self", call("belfry::cumprod_backprop", {b.gradient(), b.input("self"), b.output()},
                      {{"axis", b.attribute("dim").toInt()}}));
  return true;
}

}  // namespace

void add_reduction_derivatives(DerivativeRules& rules) {
  rules["aten::sum"] = sum_all;
  rules["aten::sum.dim_IntList"] = sum;
  rules["aten::mean"] = mean_all;
  rules["aten::mean.dim"] = mean;
  rules["aten::logsumexp"] = logsumexp;
  rules["aten::amax"] = extreme;
  rules["aten::amin"] = extreme;
  rules["aten::var.correction"] = variance;
  rules["aten::std.correction"] = standard_deviation;
  rules["aten::var_mean.correction"] = variance_and_mean;
  rules["aten::linalg_vector_norm"] = norm;
  rules["belfry::prod"] = prod;
  rules["aten::cumsum"] = cumsum;
  rules["aten::cumprod"] = cumprod;
}

}  // namespace belfry::internal
