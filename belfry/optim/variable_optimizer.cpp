#include "belfry/optim/variable_optimizer.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/state.h"
#include "belfry/optim/internal/create_slot.h"

namespace belfry {
Tensor VariableOptimizer::apply_gradients(const GradientsAndVariables& gradients,
                                          const ApplyOptions& options) {
  if (options.combine) {
    return apply_gradients(options.combine(gradients),
                           {.global_step = options.global_step, .name = options.name});
  }
  std::vector<Variable> variables;
  std::vector<Tensor> present;
  for (const auto& [gradient, variable] : gradients) {
    if (!gradient.defined()) continue;
    if (gradient.dtype() != variable.dtype() || !is_compatible_with(variable.shape(), gradient.shape())) {
      throw UsageError(fmt::format("[{}] expected a gradient like its variable {}, got {}", name(),
                                   describe(variable.tensor()), describe(gradient)));
    }
    variables.push_back(variable);
    present.push_back(gradient);
  }
  if (gradients.empty()) {
    throw UsageError(
        fmt::format("[{}] expected a gradient for some variable, got none: the cost depends on no trainable "
                    "variable, or its gradients were dropped on the way",
                    name()));
  }
  if (variables.empty()) {
    throw UsageError(
        fmt::format("[{}] expected a gradient for some variable, got none for {} variables: the cost "
                    "depends on none of them",
                    name(), gradients.size()));
  }
  const std::string operation = options.name.empty() ? name() : options.name;
  if (!options.global_step.defined()) return update(variables, present, operation);
  ControlDependencies after({update(variables, present, operation + "/update")});
  return group({assign_add(options.global_step, constant(1, options.global_step.dtype(), operation + "/one"),
                           operation + "/global_step")},
               operation);
}

Variable VariableOptimizer::slot(const Variable& variable, const std::string& name) const {
  for (const Slot& slot : slots_) {
    if (slot.primary == variable && slot.name == name) return slot.value;
  }
  return {};
}

std::vector<Tensor> VariableOptimizer::slots(const std::vector<Variable>& variables, const std::string& name,
                                             const std::string& suffix, double initial) {
  std::vector<Tensor> result;
  for (const Variable& variable : variables) {
    Variable value = slot(variable, name);
    if (!value.defined()) {
      value = internal::create_slot(variable, suffix, constant_initializer(initial));
      slots_.push_back({name, variable, value});
    }
    result.push_back(value.tensor());
  }
  return result;
}

Variable VariableOptimizer::create_scalar(const std::string& name, double value) {
  return internal::create_at_root(name, {}, {.initializer = constant_initializer(value), .trainable = false},
                                  current_device());
}

}  // namespace belfry
