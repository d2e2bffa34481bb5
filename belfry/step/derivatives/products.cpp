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

/// A vector as the matrix that it stands for, and back.
Tensor as_row(const Tensor& x) {
  return x.rank() == 1 ? expand_dims(x, 0) : x;
}
Tensor as_column(const Tensor& x) {
  return x.rank() == 1 ? expand_dims(x, 1) : x;
}

bool has_elements(const Tensor& x) {
  return c10::multiply_integers(x.shape()) > 0;
}

bool matmul(Backprop& b) {
  const Tensor x = b.input("self"), y = b.input("other");
  if (!has_elements(x) || !has_elements(y)) return false;
  if (x.rank() >= 2 && y.rank() == 2) {
    by_weights(b, "self", "other", nullptr);
    return true;
  }
  Tensor g = b.gradient();
  const Tensor rows = as_row(x), columns = as_column(y);
  if (y.rank() == 1) g = expand_dims(g, -1);
  if (x.rank() == 1) g = expand_dims(g, -2);
  const auto give = [&](const char* name, const Tensor& by, const Tensor& matrix, const Tensor& input) {
    b.give(name, reshape(sum_to(by, matrix.shape()), input.shape()));
  };
  if (b.wants("self")) give("self", belfry::matmul(g, transposed(columns)), rows, x);
  if (b.wants("other")) give("other", belfry::matmul(transposed(rows), g), columns, y);
  return true;
}

/// beta bias + alpha x w.
bool addmm(Backprop& b) {
  const Tensor x = b.input("mat1"), w = b.input("mat2"), g = b.gradient();
  if (!has_elements(x) || !has_elements(w)) return false;
  const double alpha = b.number("alpha"), beta = b.number("beta");
  if (alpha == 1 && beta == 1 && b.input("self").rank() == 1) {
    by_weights(b, "mat1", "mat2", "self");
    return true;
  }
  b.give("self", g * beta);
  if (b.wants("mat1")) b.give("mat1", belfry::matmul(g, transposed(w)) * alpha);
  if (b.wants("mat2")) b.give("mat2", belfry::matmul(transposed(x), g) * alpha);
  return true;
}

}  // namespace

void add_product_derivatives(DerivativeRules& rules) {
  rules["aten::matmul"] = matmul;
  rules["aten::addmm"] = addmm;
}

}  // namespace belfry::internal
