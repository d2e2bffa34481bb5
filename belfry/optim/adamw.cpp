#include "belfry/optim/adamw.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"
#include "belfry/optim/internal/variable_pattern.h"

namespace belfry {
namespace {

void check_adamw(at::TensorList variables, at::TensorList m, at::TensorList v, const at::Tensor&,
                 const at::Tensor&, at::TensorList gradients, const at::Tensor&, double, double, double,
                 at::ArrayRef<double> weight_decays, at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_multipliers(variables, weight_decays);
  internal::check_like_variables(variables, m, "first moments");
  internal::check_like_variables(variables, v, "second moments");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_adamw(at::TensorList variables, at::TensorList m, at::TensorList v, const at::Tensor& beta1_power,
                 const at::Tensor& beta2_power, at::TensorList gradients, const at::Tensor& learning_rate,
                 double beta1, double beta2, double epsilon, at::ArrayRef<double> weight_decays,
                 at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  // The kernel is told that the step is infinity, where it corrects no bias: the corrections are in the
  // rate and in epsilon. What it decays by is a part of its own rate, so that the decay is divided by it.
  const double correction = std::sqrt(1 - beta2_power.item<double>()) / (1 - beta1_power.item<double>());
  const double its_epsilon = epsilon * std::sqrt(1 - beta2_power.item<double>());
  const double base = learning_rate.item<double>();
  const at::Tensor step =
      at::full({}, std::numeric_limits<float>::infinity(), variables[0].options().dtype(at::kFloat));
  std::map<std::pair<double, double>, std::vector<size_t>> groups;  // by rate and decay
  for (size_t i = 0; i < variables.size(); ++i)
    groups[{base * (multipliers.empty() ? 1 : multipliers[i]), weight_decays[i]}].push_back(i);
  for (const auto& [numbers, indices] : groups) {
    const auto members = [&, &places = indices](at::TensorList list) {
      std::vector<at::Tensor> result;
      for (size_t i : places) result.push_back(list[i]);
      return result;
    };
    at::_fused_adamw_(members(variables), members(fitted), members(m), members(v), /*max_exp_avg_sqs=*/{},
                      std::vector<at::Tensor>(indices.size(), step), numbers.first * correction, beta1, beta2,
                      /*weight_decay=*/numbers.second / correction, its_epsilon, /*amsgrad=*/false,
                      /*maximize=*/false);
  }
  beta1_power.mul_(beta1);
  beta2_power.mul_(beta2);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_adamw(Tensor(a!)[] variables, Tensor(b!)[] m, Tensor(c!)[] v, Tensor(d!) beta1_power, "
      "Tensor(e!) beta2_power, Tensor[] gradients, Tensor learning_rate, float beta1, float beta2, "
      "float epsilon, float[] weight_decays, float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_adamw", apply_adamw);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_adamw", check_adamw);
}

AdamW::AdamW(const AdamWOptions& options) : options_(options) {
  for (double beta : {options.beta1, options.beta2}) {
    if (!(beta >= 0 && beta < 1)) {
      throw UsageError(fmt::format("[AdamW] expected .beta1 and .beta2 in [0, 1), got {}", beta));
    }
  }
  for (double number : {options.epsilon, options.weight_decay}) {
    if (!(number >= 0)) {
      throw UsageError(
          fmt::format("[AdamW] expected .epsilon and .weight_decay of at least 0, got {}", number));
    }
  }
  internal::VariablePattern("AdamW", options.decayed_variables);
}

Tensor AdamW::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                     const std::string& name) {
  if (!beta1_power_.defined() || &beta1_power_.tensor().graph() != &default_graph()) {
    beta1_power_ = create_scalar("beta1_power", options_.beta1);
    beta2_power_ = create_scalar("beta2_power", options_.beta2);
  }
  const internal::VariablePattern decayed("AdamW", options_.decayed_variables);
  std::vector<double> weight_decays;
  for (const Variable& variable : variables)
    weight_decays.push_back(decayed.matches(variable) ? options_.weight_decay : 0);
  if (options_.weight_decay != 0 && std::ranges::count(weight_decays, 0) == std::ssize(variables))
    log_warning("[AdamW] no variable matches '{}': none decays", options_.decayed_variables);
  const auto m = slots(variables, "m", "AdamW");
  return default_graph()
      .add("belfry::apply_adamw", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"m", m},
            {"v", slots(variables, "v", "AdamW")},
            {"beta1_power", beta1_power_.tensor()},
            {"beta2_power", beta2_power_.tensor()},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"beta1", internal::as_float32(options_.beta1)},
            {"beta2", internal::as_float32(options_.beta2)},
            {"epsilon", options_.epsilon},
            {"weight_decays", weight_decays},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
