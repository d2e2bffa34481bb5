#include "belfry/input/input_source.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/special_nodes.h"

namespace belfry {

void InputSource::setup(const std::vector<TensorSpec>& signature) {
  if (is_set_up_) throw UsageError(fmt::format("[{}] expected one setup, got a second one", name()));
  signature_ = signature;
  is_set_up_ = true;
  on_setup();
}

std::optional<Datapoint> InputSource::next(std::stop_token stop) {
  if (stop.stop_requested()) return std::nullopt;
  return Datapoint();
}

Tensor build_or_reuse_placeholder(const TensorSpec& spec) {
  Graph& graph = default_graph();
  if (const Tensor existing = graph.find_tensor(spec.name)) {
    if (existing.node().kind() != NodeKind::kPlaceholder || existing.dtype() != spec.dtype ||
        existing.shape() != spec.shape) {
      throw UsageError(fmt::format("[placeholder {}] expected {} {}, got the node {}", spec.name,
                                   to_string(spec.dtype), to_string(spec.shape), describe(existing)));
    }
    return existing;
  }
  GraphScope outside_of_all_scopes(graph);
  return add_placeholder(spec);
}

}  // namespace belfry
