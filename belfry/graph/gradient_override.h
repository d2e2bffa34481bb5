#pragma once

#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// An operator whose gradient is being built.
struct DifferentiatedOperator {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;  ///< by the outputs
};

/// Builds the gradients by the inputs of an operator, one for each; none where none flows.
using OperatorGradient = std::function<std::vector<Tensor>(const DifferentiatedOperator& op)>;

/// Operators built while the guard lives have another gradient: `GradientOverride guided("aten::relu", fn);`.
/// `op` is the name of an operator, all overloads of it without one; of nested guards for an operator the
/// inner counts. `gradient` is called when a node is built, under no other override; a gradient of another
/// shape or dtype than its input's is a UsageError there. Only nodes that ops' functions and layers add are
/// meant, and only operators that write nothing.
class GradientOverride : detail::ScopeGuard {
 public:
  GradientOverride(std::string op, OperatorGradient gradient);
  /// Of several operators.
  GradientOverride(const std::vector<std::string>& ops, const OperatorGradient& gradient);
};

/// The gradient that the current scopes give an operator ("aten::relu", "aten::add.Tensor"); null: its own.
OperatorGradient overridden_gradient(const std::string& op);

}  // namespace belfry
