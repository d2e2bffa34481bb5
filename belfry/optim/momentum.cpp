#include "belfry/optim/momentum.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_sgd.h>
#include <fmt/format.h>
#include <torch/library.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_momentum(at::TensorList variables, at::TensorList accumulators, at::TensorList gradients,
                    const at::Tensor&, double, bool, at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, accumulators, "accumulators");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_momentum(at::TensorList variables, at::TensorList accumulators, at::TensorList gradients,
                    const at::Tensor& learning_rate, double momentum, bool use_nesterov,
                    at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  // As accumulators start with zeros, no step is the first: PyTorch's formula is then TensorFlow's, the
  // learning rate multiplying the accumulator rather than the gradient in both.
  internal::for_each_rate(
      learning_rate.item<double>(), multipliers,
      [&](double rate, at::TensorList its_variables, at::TensorList its_gradients,
          at::TensorList its_accumulators) {
        const bool accumulates = momentum != 0;
        at::_fused_sgd_(its_variables, its_gradients, accumulates ? its_accumulators : at::TensorList(),
                        /*weight_decay=*/0, momentum, rate, /*dampening=*/0, accumulates && use_nesterov,
                        /*maximize=*/false, /*is_first_step=*/false);
      },
      variables, fitted, accumulators);
  // PyTorch's kernel takes no accumulators then, and they hold the last gradient.
  for (size_t i = 0; momentum == 0 && i < fitted.size(); ++i) accumulators[i].copy_(fitted[i]);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_momentum(Tensor(a!)[] variables, Tensor(b!)[] accumulators, Tensor[] gradients, "
      "Tensor learning_rate, float momentum, bool use_nesterov, float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_momentum", apply_momentum);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_momentum", check_momentum);
}

Momentum::Momentum(const MomentumOptions& options) : options_(options) {
  if (!(options.momentum >= 0 && options.momentum <= 1)) {
    throw UsageError(fmt::format("[Momentum] expected .momentum in [0, 1], got {}", options.momentum));
  }
}

Tensor Momentum::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                        const std::string& name) {
  return default_graph()
      .add("belfry::apply_momentum", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"accumulators", slots(variables, "momentum", "Momentum")},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"momentum", options_.momentum},
            {"use_nesterov", options_.use_nesterov},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
