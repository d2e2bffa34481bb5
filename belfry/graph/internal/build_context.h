#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/gradient_override.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable_getter.h"

namespace belfry {
class TowerContext;
}

namespace belfry::internal {

/// A getter of variables, and those of the scopes around its own.
struct GetterInScope {
  CustomGetter getter;
  std::shared_ptr<const GetterInScope> outer;
};

/// A gradient for an operator, and those of the scopes around its own.
struct GradientInScope {
  std::string op;
  OperatorGradient gradient;
  std::shared_ptr<const GradientInScope> outer;
};

/// Everything that the position in the program, rather than the arguments of a call, says about the next
/// node. One for each thread; guards save and restore it as a whole.
struct BuildContext {
  Graph* graph = nullptr;
  std::string name_scope;
  std::string variable_scope;
  Reuse reuse = Reuse::kCreate;
  std::vector<const Node*> control_inputs;
  c10::Device device = c10::kCPU;
  std::optional<NodeSeed> seed;
  TowerContext* tower = nullptr;
  std::shared_ptr<const GetterInScope> getters;      ///< the innermost
  std::shared_ptr<const GradientInScope> gradients;  ///< the innermost
};

BuildContext& build_context();

/// `name` under `scope`: "scope/name", or `name` where the scope is the root.
inline std::string join_scope(const std::string& scope, const std::string& name) {
  return scope.empty() ? name : scope + "/" + name;
}

/// The name that a node asks for: `name`, or else its operator's, under the current scope, or from the root
/// where it ends in '/'.
std::string wanted_name(std::string_view op, const std::string& name);

/// Throws UsageError, in the name of `who`, unless TensorFlow takes `name`, from the root, as a node's name.
void check_name(std::string_view who, std::string_view name);

}  // namespace belfry::internal
