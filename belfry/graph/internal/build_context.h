#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"

namespace belfry {
class TowerContext;
}

namespace belfry::internal {

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
};

BuildContext& build_context();

/// `name` under `scope`: "scope/name", or `name` where the scope is the root.
inline std::string join_scope(const std::string& scope, const std::string& name) {
  return scope.empty() ? name : scope + "/" + name;
}

/// Throws UsageError, in the name of `who`, unless TensorFlow takes `name`, from the root, as a node's name.
void check_name(std::string_view who, std::string_view name);

}  // namespace belfry::internal
