#include "belfry/optim/post_process_optimizer.h"

#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

PostProcessOptimizer::Function assigning(PostProcessOptimizer::Function function) {
  if (!function) throw UsageError("[VariableAssignmentOptimizer] expected a function, got none");
  return [function = std::move(function)](const Variable& variable) {
    const Tensor value = function(variable);
    return value ? assign(variable, value) : Tensor();
  };
}

}  // namespace

PostProcessOptimizer::PostProcessOptimizer(std::unique_ptr<Optimizer> optimizer, Function function)
    : ProxyOptimizer(std::move(optimizer)), function_(std::move(function)) {
  if (!function_) throw UsageError("[PostProcessOptimizer] expected a function, got none");
}

Tensor PostProcessOptimizer::apply_gradients(const GradientsAndVariables& gradients,
                                             const ApplyOptions& options) {
  const std::string operation = options.name.empty() ? name() : options.name;
  const Tensor update = inner().apply_gradients(
      gradients,
      {.global_step = options.global_step, .name = operation + "/update", .combine = options.combine});
  std::vector<Tensor> operations = {update};
  ControlDependencies after({update});
  for (const auto& [gradient, variable] : gradients) {
    if (!gradient) continue;
    if (const Tensor further = function_(variable)) operations.push_back(further);
  }
  return group(operations, operation);
}

VariableAssignmentOptimizer::VariableAssignmentOptimizer(std::unique_ptr<Optimizer> optimizer,
                                                         Function function)
    : PostProcessOptimizer(std::move(optimizer), assigning(std::move(function))) {}

}  // namespace belfry
