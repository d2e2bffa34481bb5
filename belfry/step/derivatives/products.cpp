#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/step/internal/derivative_rules.h"

// Derivatives of matrix products: y = x w gives dx = dy wT and dw = xT dy.

namespace belfry::internal {
namespace {

Tensor transposed(const Tensor& x) {
  return call("aten::mT", {x});
}

/// Rows of all leading dimensions.
Tensor as_matrix(const Tensor& x) {
  if (x.rank() == 2) return x;
  const int64_t columns = x.dim(-1);
  return reshape(x, {c10::multiply_integers(x.shape()) / columns, columns});
}

/// By a matrix of weights, with the sum by columns when the bias wants it.
void by_weights(Backprop& b, const char* input, const char* weight, const char* bias) {
  const Tensor g = as_matrix(b.gradient()), x = as_matrix(b.input(input)), w = b.input(weight);
  if (b.wants(input))
    b.give(input, reshape(call("belfry::linear_backprop_input", {g, w}), b.input(input).shape()));
  const auto by_parameters = call_multi("belfry::linear_backprop_weight", {g, x});
  b.give(weight, by_parameters[0]);
  if (bias) b.give(bias, by_parameters[1]);
}

bool matmul(Backprop& b) {
  const Tensor x = b.input("self"), y = b.input("other");
  if (x.rank() < 2 || y.rank() < 2 || c10::multiply_integers(x.shape()) == 0 ||
      c10::multiply_integers(y.shape()) == 0)
    return false;
  if (y.rank() == 2) {
    by_weights(b, "self", "other", nullptr);
    return true;
  }
  b.give("self", belfry::matmul(b.gradient(), transposed(y)));
  b.give("other", belfry::matmul(transposed(x), b.gradient()));
  return true;
}

bool addmm(Backprop& b) {
  if (b.number("alpha") != 1 || b.number("beta") != 1 || b.input("self").rank() != 1 ||
      c10::multiply_integers(b.input("mat1").shape()) == 0 ||
      c10::multiply_integers(b.input("mat2").shape()) == 0)
    return false;
  by_weights(b, "mat1", "mat2", "self");
  return true;
}

}  // namespace

void add_product_derivatives(DerivativeRules& rules) {
  rules["aten::matmul"] = matmul;
  rules["aten::addmm"] = addmm;
}

}  // namespace belfry::internal
