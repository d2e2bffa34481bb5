#include <ATen/ExpandUtils.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/clamp_max.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/result_type.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/selu.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <initializer_list>
#include <limits>
#include <vector>

#include "belfry/graph/below_autograd.h"

// Functions that have a kink or an edge, with TensorFlow's gradients there: what lies exactly on a limit
// still moves, the first of two equal tensors is the maximum, and a base that has no logarithm passes nothing
// to its exponent. The values are ATen's.

namespace belfry {
namespace {

using at::IntArrayRef;
using at::Scalar;
using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;
using OptionalScalar = std::optional<Scalar>;

bool wants_gradient(std::initializer_list<Tensor> tensors) {
  if (!at::GradMode::is_enabled()) return false;
  for (const Tensor& tensor : tensors) {
    if (tensor.requires_grad()) return true;
  }
  return false;
}

/// `gradient` of a broadcast result as one of `input`; none for an input that cannot have one.
Tensor gradient_like(const Tensor& gradient, const Tensor& input) {
  if (!input.is_floating_point()) return {};
  return at::sum_to(gradient, input.sizes()).to(input.scalar_type());
}

Tensor masked(const Tensor& gradient, const Tensor& mask) {
  return at::where(mask, gradient, 0);
}

/// Saves its inputs.
template <auto kFunction, auto kMask>
struct FirstOfEquals : Function<FirstOfEquals<kFunction, kMask>> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& y) {
    context->save_for_backward({x, y});
    const BelowAutograd below;
    return kFunction(x, y);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor mask = kMask(saved[0], saved[1]);
    return {gradient_like(masked(gradients[0], mask), saved[0]),
            gradient_like(masked(gradients[0], mask.logical_not()), saved[1])};
  }
};

Tensor not_less(const Tensor& x, const Tensor& y) {
  return x.ge(y);
}
Tensor not_greater(const Tensor& x, const Tensor& y) {
  return x.le(y);
}

Tensor maximum(const Tensor& x, const Tensor& y) {
  if (!wants_gradient({x, y})) return at::maximum(x, y);
  return FirstOfEquals<static_cast<Tensor (*)(const Tensor&, const Tensor&)>(at::maximum), not_less>::apply(
      x, y);
}
Tensor minimum(const Tensor& x, const Tensor& y) {
  if (!wants_gradient({x, y})) return at::minimum(x, y);
  return FirstOfEquals<static_cast<Tensor (*)(const Tensor&, const Tensor&)>(at::minimum),
                       not_greater>::apply(x, y);
}

struct Clamp : Function<Clamp> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const OptionalScalar& min,
                        const OptionalScalar& max) {
    context->save_for_backward({x});
    context->saved_data["min"] = min;
    context->saved_data["max"] = max;
    const BelowAutograd below;
    return at::clamp(x, min, max);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const Tensor x = context->get_saved_variables()[0];
    Tensor gradient = gradients[0];
    if (const auto& min = context->saved_data["min"]; !min.isNone())
      gradient = masked(gradient, x.ge(min.toScalar()));
    if (const auto& max = context->saved_data["max"]; !max.isNone())
      gradient = masked(gradient, x.le(max.toScalar()));
    return {gradient_like(gradient, x), {}, {}};
  }
};

Tensor clamp(const Tensor& x, const OptionalScalar& min, const OptionalScalar& max) {
  return wants_gradient({x}) ? Clamp::apply(x, min, max) : at::clamp(x, min, max);
}
Tensor clamp_min(const Tensor& x, const Scalar& min) {
  return wants_gradient({x}) ? Clamp::apply(x, OptionalScalar(min), OptionalScalar()) : at::clamp_min(x, min);
}
Tensor clamp_max(const Tensor& x, const Scalar& max) {
  return wants_gradient({x}) ? Clamp::apply(x, OptionalScalar(), OptionalScalar(max)) : at::clamp_max(x, max);
}

struct Pow : Function<Pow> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& exponent) {
    const BelowAutograd below;
    const Tensor y = at::pow(x, exponent);
    context->save_for_backward({x, exponent, y});
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &x = saved[0], &exponent = saved[1], &y = saved[2], &gradient = gradients[0];
    variable_list result(2);
    if (context->needs_input_grad(0)) {
      const Tensor by_base = gradient * exponent * at::pow(x, exponent - 1);
      result[0] = gradient_like(at::where(exponent.eq(0), 0, by_base), x);
    }
    if (context->needs_input_grad(1)) {
      const Tensor positive = x.gt(0);
      const Tensor logarithm = masked(at::log(at::where(positive, x, 1)), positive);
      result[1] = gradient_like(gradient * y * logarithm, exponent);
    }
    return result;
  }
};

void check_exponent(at::ScalarType result, const Tensor& exponent) {
  if (!at::isIntegralType(result, /*includeBool=*/true) || exponent.is_meta() || exponent.numel() == 0)
    return;
  TORCH_CHECK(exponent.ge(0).all().item<bool>(), "expected exponents of at least 0 for integers, got ",
              exponent.min().item<int64_t>());
}

Tensor pow(const Tensor& x, const Tensor& exponent) {
  check_exponent(at::result_type(x, exponent), exponent);
  return wants_gradient({x, exponent}) ? Pow::apply(x, exponent) : at::pow(x, exponent);
}
Tensor pow_scalar(const Scalar& base, const Tensor& exponent) {
  check_exponent(at::result_type(base, exponent), exponent);
  if (!wants_gradient({exponent})) return at::pow(base, exponent);
  return Pow::apply(at::scalar_tensor(base, exponent.options().requires_grad(false)), exponent);
}

struct Selu : Function<Selu> {
  static constexpr double kAlpha = 1.6732632423543772848170429916717;
  static constexpr double kScale = 1.0507009873554804934193349852946;

  static Tensor forward(AutogradContext* context, const Tensor& x) {
    const BelowAutograd below;
    const Tensor y = at::selu(x);
    context->save_for_backward({x, y});
    return y;
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor slope = at::where(saved[0].lt(0), saved[1] + kScale * kAlpha, kScale);
    return {gradients[0] * slope};
  }
};

Tensor selu(const Tensor& x) {
  return wants_gradient({x}) ? Selu::apply(x) : at::selu(x);
}

/// What is larger, or smaller, than nothing.
Scalar extreme(at::ScalarType dtype, bool lowest) {
  if (at::isFloatingType(dtype)) {
    const double infinity = std::numeric_limits<double>::infinity();
    return lowest ? -infinity : infinity;
  }
  if (dtype == at::kBool) return !lowest;
  if (dtype == at::kByte) return lowest ? 0 : 255;
  const int bits = 8 * static_cast<int>(c10::elementSize(dtype)) - 1;
  const auto highest = static_cast<int64_t>((uint64_t{1} << bits) - 1);
  return lowest ? -highest - 1 : highest;
}

/// The result of reducing no elements at all, filled with `value`, if that is what `axes` of `x` hold.
std::optional<Tensor> reduced_nothing(const Tensor& x, IntArrayRef axes, bool keep_dims, bool lowest) {
  std::vector<bool> reduced(static_cast<size_t>(x.dim()), axes.empty());
  for (int64_t axis : axes) reduced[static_cast<size_t>(at::maybe_wrap_dim(axis, x.dim()))] = true;
  std::vector<int64_t> sizes;
  bool nothing = false;
  for (int64_t axis = 0; axis < x.dim(); ++axis) {
    const bool drop = reduced[static_cast<size_t>(axis)];
    nothing = nothing || (drop && x.size(axis) == 0);
    if (!drop) sizes.push_back(x.size(axis));
    if (drop && keep_dims) sizes.push_back(1);
  }
  if (!nothing) return std::nullopt;
  return at::full(sizes, extreme(x.scalar_type(), lowest), x.options());
}

Tensor amax(const Tensor& x, IntArrayRef axes, bool keep_dims) {
  if (x.numel() > 0) return at::amax(x, axes, keep_dims);
  const auto nothing = reduced_nothing(x, axes, keep_dims, /*lowest=*/true);
  return nothing ? *nothing : at::amax(x, axes, keep_dims);
}
Tensor amin(const Tensor& x, IntArrayRef axes, bool keep_dims) {
  if (x.numel() > 0) return at::amin(x, axes, keep_dims);
  const auto nothing = reduced_nothing(x, axes, keep_dims, /*lowest=*/false);
  return nothing ? *nothing : at::amin(x, axes, keep_dims);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("amax(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", amax);
  m.def("amin(Tensor self, int[1] dim=[], bool keepdim=False) -> Tensor", amin);
  m.def("clamp(Tensor self, Scalar? min=None, Scalar? max=None) -> Tensor", clamp);
  m.def("clamp_max(Tensor self, Scalar max) -> Tensor", clamp_max);
  m.def("clamp_min(Tensor self, Scalar min) -> Tensor", clamp_min);
  m.def("maximum(Tensor self, Tensor other) -> Tensor", maximum);
  m.def("minimum(Tensor self, Tensor other) -> Tensor", minimum);
  m.def("pow.Scalar(Scalar self, Tensor exponent) -> Tensor", pow_scalar);
  m.def("pow.Tensor_Tensor(Tensor self, Tensor exponent) -> Tensor", pow);
  m.def("selu(Tensor self) -> Tensor", selu);
}

}  // namespace belfry
