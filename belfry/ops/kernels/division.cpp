#include <ATen/ExpandUtils.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/div.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/fmod.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/result_type.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "belfry/graph/below_autograd.h"

// Division rounded down, and its remainder, as TensorFlow has them: the quotient of floats is floor(x / y),
// where ATen's is what fits its remainder (10 and 9 for 1.0 and 0.1).

namespace belfry {
namespace {

using at::Scalar;
using at::Tensor;

/// Where a processor that divides the lowest integer by -1 stops the process.
Tensor is_minus_one(const Tensor& y) {
  return y.eq(-1);
}

bool divides_integers(const Tensor& x, const Tensor& y) {
  return at::isIntegralType(at::result_type(x, y), /*includeBool=*/true);
}

/// True where some element needs the way round; an unsigned one never does.
bool has_minus_one(const Tensor& y) {
  return !y.is_meta() && at::isSignedType(y.scalar_type()) && is_minus_one(y).any().item<bool>();
}

/// ATen's, for the lowest integer too.
Tensor quotient(const Tensor& x, const Tensor& y, std::optional<c10::string_view> mode) {
  if (!mode || !divides_integers(x, y) || !has_minus_one(y)) return at::div(x, y, mode);
  const Tensor minus_one = is_minus_one(y);
  const Tensor result = at::div(x, y.masked_fill(minus_one, 1), mode);
  return at::where(minus_one, at::neg(x.to(result.scalar_type())), result);
}

Tensor truncated_remainder(const Tensor& x, const Tensor& y) {
  if (!divides_integers(x, y) || !has_minus_one(y)) return at::fmod(x, y);
  return at::fmod(x, y.masked_fill(is_minus_one(y), 1));
}

/// Like floor, it has no gradient.
Tensor floor_divide(const Tensor& x, const Tensor& y) {
  const at::NoGradGuard no_gradient;
  return divides_integers(x, y) ? quotient(x, y, "floor") : at::floor(at::div(x, y));
}

Tensor floor_divide_scalar(const Tensor& x, const Scalar& y) {
  const at::NoGradGuard no_gradient;
  if (!at::isIntegralType(at::result_type(x, y), /*includeBool=*/true)) return at::floor(at::div(x, y));
  return y.equal(-1) ? at::neg(x) : at::div(x, y, "floor");
}

/// Its gradient by `y` is the quotient, which has to be the same one.
struct Remainder : torch::autograd::Function<Remainder> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x, const Tensor& y) {
    context->save_for_backward({x, y});
    const BelowAutograd below;
    return at::remainder(x.to(at::kDouble), y.to(at::kDouble)).to(at::result_type(x, y));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &y = saved[1], &gradient = gradients[0];
    torch::autograd::variable_list result(2);
    if (x.is_floating_point()) result[0] = at::sum_to(gradient, x.sizes()).to(x.scalar_type());
    if (y.is_floating_point()) {
      const Tensor by_y = gradient * at::neg(at::floor(at::div(x, y)));
      result[1] = at::sum_to(by_y, y.sizes()).to(y.scalar_type());
    }
    return result;
  }
};

// Floats are divided as float64: the vectorised kernel of ATen gives NaN where the quotient has more digits
// than the format. Nothing else changes, as a remainder is exact.

Tensor remainder(const Tensor& x, const Tensor& y) {
  if (at::GradMode::is_enabled() && y.requires_grad()) return Remainder::apply(x, y);
  const at::ScalarType dtype = at::result_type(x, y);
  if (at::isFloatingType(dtype))
    return at::remainder(x.to(dtype).to(at::kDouble), y.to(dtype).to(at::kDouble)).to(dtype);
  if (!has_minus_one(y)) return at::remainder(x, y);
  return at::remainder(x, y.masked_fill(is_minus_one(y), 1));
}

Tensor remainder_scalar(const Tensor& x, const Scalar& y) {
  const at::ScalarType dtype = at::result_type(x, y);
  if (!at::isFloatingType(dtype)) return at::remainder(x, y.equal(-1) ? Scalar(1) : y);
  const Tensor divisor = at::scalar_tensor(y, x.options().dtype(dtype).requires_grad(false)).to(at::kDouble);
  return at::remainder(x.to(dtype).to(at::kDouble), divisor).to(dtype);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("div.Tensor_mode(Tensor self, Tensor other, *, str? rounding_mode) -> Tensor", quotient);
  m.def("fmod.Tensor(Tensor self, Tensor other) -> Tensor", truncated_remainder);
  m.def("floor_divide(Tensor self, Tensor other) -> Tensor", floor_divide);
  m.def("floor_divide.Scalar(Tensor self, Scalar other) -> Tensor", floor_divide_scalar);
  m.def("remainder.Tensor(Tensor self, Tensor other) -> Tensor", remainder);
  m.def("remainder.Scalar(Tensor self, Scalar other) -> Tensor", remainder_scalar);
}

}  // namespace belfry
