#include "belfry/optim/lars.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/add.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"
#include "belfry/optim/internal/variable_pattern.h"

namespace belfry {
namespace {

void check_lars(at::TensorList variables, at::TensorList accumulators, at::TensorList gradients,
                const at::Tensor&, double, double, double, double, bool, at::ArrayRef<int64_t> skipped,
                at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  for (int64_t place : skipped) {
    if (place < 0 || place >= std::ssize(variables)) {
      throw UsageError(
          fmt::format("expected places of {} variables to skip, got {}", variables.size(), place));
    }
  }
  internal::check_like_variables(variables, accumulators, "accumulators");
  internal::check_like_variables(variables, gradients, "gradients");
}

/// Of all at once, so that a device is waited for once.
std::vector<double> norms(at::TensorList tensors) {
  std::vector<at::Tensor> scalars = at::_foreach_norm(tensors);
  for (at::Tensor& scalar : scalars) scalar = scalar.to(at::kDouble);
  const at::Tensor all = at::stack(scalars).to(at::kCPU);
  return {all.data_ptr<double>(), all.data_ptr<double>() + all.numel()};
}

void apply_lars(at::TensorList variables, at::TensorList accumulators, at::TensorList gradients,
                const at::Tensor& learning_rate, double momentum, double weight_decay, double eeta,
                double epsilon, bool use_nesterov, at::ArrayRef<int64_t> skipped,
                at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  const std::vector<double> of_variables = norms(variables), of_gradients = norms(fitted);
  const double base = learning_rate.item<double>();
  for (size_t i = 0; i < variables.size(); ++i) {
    const bool is_skipped = std::ranges::count(skipped, static_cast<int64_t>(i)) > 0;
    double rate = base * (multipliers.empty() ? 1 : multipliers[i]);
    if (!is_skipped && of_variables[i] > 0 && of_gradients[i] > 0)
      rate *= eeta * of_variables[i] / (of_gradients[i] + weight_decay * of_variables[i] + epsilon);
    const double decay = is_skipped ? 0 : weight_decay;
    internal::update_in_pieces(
        [&](const at::Tensor& v, const at::Tensor& a, const at::Tensor& g) {
          const at::Tensor step = at::add(g, v, decay).mul_(rate);
          a.mul_(momentum).add_(step);
          v.sub_(use_nesterov ? step.add_(a, momentum) : a);
        },
        variables[i], accumulators[i], fitted[i]);
  }
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_lars(Tensor(a!)[] variables, Tensor(b!)[] accumulators, Tensor[] gradients, "
      "Tensor learning_rate, float momentum, float weight_decay, float eeta, float epsilon, "
      "bool use_nesterov, int[] skipped, float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_lars", apply_lars);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_lars", check_lars);
}

LARS::LARS(const LARSOptions& options) : options_(options) {
  if (!(options.momentum >= 0 && options.momentum <= 1)) {
    throw UsageError(fmt::format("[LARS] expected .momentum in [0, 1], got {}", options.momentum));
  }
  for (double number : {options.weight_decay, options.eeta, options.epsilon}) {
    if (!(number >= 0)) {
      throw UsageError(
          fmt::format("[LARS] expected .weight_decay, .eeta and .epsilon of at least 0, got {}", number));
    }
  }
  internal::VariablePattern("LARS", options.skipped_variables);
}

Tensor LARS::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                    const std::string& name) {
  const internal::VariablePattern pattern("LARS", options_.skipped_variables);
  std::vector<int64_t> skipped;
  for (size_t i = 0; i < variables.size(); ++i) {
    if (pattern.matches(variables[i])) skipped.push_back(static_cast<int64_t>(i));
  }
  if (skipped.empty() && !options_.skipped_variables.empty())
    log_warning("[LARS] no variable matches '{}'", options_.skipped_variables);
  return default_graph()
      .add("belfry::apply_lars", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"accumulators", slots(variables, "momentum", "LARSOptimizer")},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"momentum", options_.momentum},
            {"weight_decay", options_.weight_decay},
            {"eeta", options_.eeta},
            {"epsilon", options_.epsilon},
            {"use_nesterov", options_.use_nesterov},
            {"skipped", skipped},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
