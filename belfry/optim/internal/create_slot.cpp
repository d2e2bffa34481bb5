#include "belfry/optim/internal/create_slot.h"

#include <fmt/format.h>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"

namespace belfry::internal {

Variable create_at_root(const std::string& name, const Shape& shape, const VariableOptions& options,
                        c10::Device device) {
  GraphScope outside_of_all_scopes(default_graph());
  DeviceScope on_device(device);
  std::string candidate = name;
  for (int i = 1; default_graph().find_variable(candidate); ++i) candidate = fmt::format("{}_{}", name, i);
  return get_variable(candidate, shape, options);
}

Variable create_slot(const Variable& variable, const std::string& suffix, const Initializer& initializer) {
  const Node& node = variable.tensor().node();
  return create_at_root(variable.name() + "/" + suffix, variable.shape(),
                        {.dtype = variable.dtype(),
                         .initializer = initializer,
                         .trainable = false,
                         .memory_order = node.attribute("memory_order").toIntVector()},
                        node.device());
}

}  // namespace belfry::internal
