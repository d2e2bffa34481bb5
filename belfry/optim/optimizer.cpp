#include "belfry/optim/optimizer.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/gradients.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/state.h"

namespace belfry {

LearningRate::LearningRate(const Tensor& tensor) : tensor_(tensor) {
  if (!tensor.defined()) throw UsageError("[LearningRate] expected a floating-point scalar, got none");
  if (tensor.rank() != 0 || !c10::isFloatingType(tensor.dtype())) {
    throw UsageError(
        fmt::format("[LearningRate] expected a floating-point scalar, got {}", describe(tensor)));
  }
}

Tensor LearningRate::tensor(const std::string& name) const {
  return tensor_.defined() ? tensor_ : constant(value_, kFloat32, name);
}

GradientsAndVariables Optimizer::compute_gradients(const Tensor& loss,
                                                   const std::vector<Variable>& variables) {
  const auto trained = variables.empty() ? variables_in(loss.graph(), kTrainableVariables) : variables;
  if (trained.empty()) {
    throw UsageError(fmt::format("[{}] expected variables to train, got a graph without any", name()));
  }
  const auto by_variable = gradients(loss, std::vector<Tensor>(trained.begin(), trained.end()));
  GradientsAndVariables result;
  for (size_t i = 0; i < trained.size(); ++i) result.push_back({by_variable[i], trained[i]});
  return result;
}

Variable Optimizer::slot(const Variable&, const std::string&) const {
  return {};
}

Tensor Optimizer::minimize(const Tensor& loss, const std::vector<Variable>& variables,
                           const ApplyOptions& options) {
  return apply_gradients(compute_gradients(loss, variables), options);
}

}  // namespace belfry
