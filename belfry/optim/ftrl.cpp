#include "belfry/optim/ftrl.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/softshrink.h>
#include <ATen/ops/sqrt.h>
#include <fmt/format.h>
#include <torch/library.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_ftrl(at::TensorList variables, at::TensorList accum, at::TensorList linear,
                at::TensorList gradients, const at::Tensor&, double, double, double, double, double,
                at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, accum, "accumulators");
  internal::check_like_variables(variables, linear, "linear terms");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_ftrl(at::TensorList variables, at::TensorList accum, at::TensorList linear,
                at::TensorList gradients, const at::Tensor& learning_rate, double learning_rate_power,
                double l1, double l2, double l2_shrinkage, double beta, at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  const auto power = [&](const at::Tensor& x) {
    return learning_rate_power == -0.5 ? at::sqrt(x) : at::pow(x, -learning_rate_power);
  };
  internal::for_each_rate(
      learning_rate.item<double>(), multipliers,
      [&](double rate, at::TensorList its_variables, at::TensorList its_gradients, at::TensorList its_accum,
          at::TensorList its_linear) {
        if (rate == 0) return;  // the formula divides by it, and no step is left in the limit
        internal::update_in_pieces(
            [&](const at::Tensor& v, const at::Tensor& n, const at::Tensor& z, const at::Tensor& g) {
              const at::Tensor before = power(n);
              n.addcmul_(g, g);
              const at::Tensor after = power(n);
              z.add_(g).addcmul_(before.sub_(after), v, 1 / rate);
              if (l2_shrinkage != 0) z.add_(v, 2 * l2_shrinkage);
              v.copy_(at::softshrink(z, l1).neg_().div_(after.div_(rate).add_(2 * l2 + beta / rate)));
            },
            its_variables, its_accum, its_linear, its_gradients);
      },
      variables, fitted, accum, linear);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_ftrl(Tensor(a!)[] variables, Tensor(b!)[] accum, Tensor(c!)[] linear, Tensor[] gradients, "
      "Tensor learning_rate, float learning_rate_power, float l1, float l2, float l2_shrinkage, float beta, "
      "float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_ftrl", apply_ftrl);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_ftrl", check_ftrl);
}

Ftrl::Ftrl(const FtrlOptions& options) : options_(options) {
  if (!(options.learning_rate_power <= 0)) {
    throw UsageError(fmt::format("[Ftrl] expected .learning_rate_power of at most 0, got {}",
                                 options.learning_rate_power));
  }
  for (double number :
       {options.initial_accumulator_value, options.l1_regularization_strength,
        options.l2_regularization_strength, options.l2_shrinkage_regularization_strength, options.beta}) {
    if (!(number >= 0)) {
      throw UsageError(fmt::format(
          "[Ftrl] expected an accumulator, regularization strengths and a beta of at least 0, got {}",
          number));
    }
  }
}

Tensor Ftrl::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                    const std::string& name) {
  const auto accum = slots(variables, "accum", "Ftrl", options_.initial_accumulator_value);
  return default_graph()
      .add("belfry::apply_ftrl", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"accum", accum},
            {"linear", slots(variables, "linear", "Ftrl")},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"learning_rate_power", options_.learning_rate_power},
            {"l1", options_.l1_regularization_strength},
            {"l2", options_.l2_regularization_strength},
            {"l2_shrinkage", options_.l2_shrinkage_regularization_strength},
            {"beta", options_.beta},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
