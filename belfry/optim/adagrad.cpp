#include "belfry/optim/adagrad.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adagrad.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>
#include <torch/library.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_adagrad(at::TensorList variables, at::TensorList accumulators, at::TensorList gradients,
                   const at::Tensor&, at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, accumulators, "accumulators");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_adagrad(at::TensorList variables, at::TensorList accumulators, at::TensorList gradients,
                   const at::Tensor& learning_rate, at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  const at::Tensor step = at::ones({}, variables[0].options().dtype(at::kFloat));
  // PyTorch adds an epsilon to the root, which is 0 here: accumulators begin with more than that.
  internal::for_each_rate(
      learning_rate.item<double>(), multipliers,
      [&](double rate, at::TensorList its_variables, at::TensorList its_gradients,
          at::TensorList its_accumulators) {
        at::_fused_adagrad_(its_variables, its_gradients, its_accumulators,
                            std::vector<at::Tensor>(its_variables.size(), step), rate, /*lr_decay=*/0,
                            /*weight_decay=*/0, /*eps=*/0, /*maximize=*/false);
      },
      variables, fitted, accumulators);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_adagrad(Tensor(a!)[] variables, Tensor(b!)[] accumulators, Tensor[] gradients, "
      "Tensor learning_rate, float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_adagrad", apply_adagrad);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_adagrad", check_adagrad);
}

Adagrad::Adagrad(const AdagradOptions& options) : options_(options) {
  if (!(options.initial_accumulator_value > 0)) {
    throw UsageError(fmt::format("[Adagrad] expected a positive .initial_accumulator_value, got {}",
                                 options.initial_accumulator_value));
  }
}

Tensor Adagrad::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                       const std::string& name) {
  return default_graph()
      .add("belfry::apply_adagrad", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"accumulators", slots(variables, "accumulator", "Adagrad", options_.initial_accumulator_value)},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
