#include "belfry/optim/adam.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <cmath>
#include <limits>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_adam(at::TensorList variables, at::TensorList m, at::TensorList v, const at::Tensor&,
                const at::Tensor&, at::TensorList gradients, const at::Tensor&, double, double, double,
                at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, m, "first moments");
  internal::check_like_variables(variables, v, "second moments");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_adam(at::TensorList variables, at::TensorList m, at::TensorList v, const at::Tensor& beta1_power,
                const at::Tensor& beta2_power, at::TensorList gradients, const at::Tensor& learning_rate,
                double beta1, double beta2, double epsilon, at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  const double rate = learning_rate.item<double>() * std::sqrt(1 - beta2_power.item<double>()) /
                      (1 - beta1_power.item<double>());
  // PyTorch corrects the bias of both moments inside, and adds epsilon after that. At step infinity there is
  // no bias to correct, so what is left of its formula is TensorFlow's with the corrected rate.
  const at::Tensor step =
      at::full({}, std::numeric_limits<float>::infinity(), variables[0].options().dtype(at::kFloat));
  internal::for_each_rate(
      rate, multipliers,
      [&](double its_rate, at::TensorList its_variables, at::TensorList its_gradients, at::TensorList its_m,
          at::TensorList its_v) {
        at::_fused_adam_(its_variables, its_gradients, its_m, its_v, /*max_exp_avg_sqs=*/{},
                         std::vector<at::Tensor>(its_variables.size(), step), its_rate, beta1, beta2,
                         /*weight_decay=*/0, epsilon, /*amsgrad=*/false, /*maximize=*/false);
      },
      variables, fitted, m, v);
  beta1_power.mul_(beta1);
  beta2_power.mul_(beta2);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_adam(Tensor(a!)[] variables, Tensor(b!)[] m, Tensor(c!)[] v, Tensor(d!) beta1_power, "
      "Tensor(e!) beta2_power, Tensor[] gradients, Tensor learning_rate, float beta1, float beta2, "
      "float epsilon, float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_adam", apply_adam);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_adam", check_adam);
}

Adam::Adam(const AdamOptions& options) : options_(options) {
  for (double beta : {options.beta1, options.beta2}) {
    if (!(beta >= 0 && beta < 1)) {
      throw UsageError(fmt::format("[Adam] expected .beta1 and .beta2 in [0, 1), got {}", beta));
    }
  }
  if (!(options.epsilon >= 0)) {
    throw UsageError(fmt::format("[Adam] expected .epsilon of at least 0, got {}", options.epsilon));
  }
}

Tensor Adam::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                    const std::string& name) {
  if (!beta1_power_.defined() || &beta1_power_.tensor().graph() != &default_graph()) {
    beta1_power_ = create_scalar("beta1_power", options_.beta1);
    beta2_power_ = create_scalar("beta2_power", options_.beta2);
  }
  return default_graph()
      .add("belfry::apply_adam", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"m", slots(variables, "m", "Adam")},
            {"v", slots(variables, "v", "Adam")},
            {"beta1_power", beta1_power_.tensor()},
            {"beta2_power", beta2_power_.tensor()},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"beta1", internal::as_float32(options_.beta1)},
            {"beta2", internal::as_float32(options_.beta2)},
            {"epsilon", internal::as_float32(options_.epsilon)},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
