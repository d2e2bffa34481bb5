#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "belfry/graph/node.h"

namespace belfry::internal {

/// The tensors whose values are given. What computes them is not run for them.
using Fed = std::unordered_set<Tensor>;

/// Throws UsageError for a tensor that is fed twice.
Fed fed_tensors(const std::vector<Tensor>& feeds);

/// True for a node that writes a variable.
inline bool writes(const Node& node) {
  return !node.mutated_inputs().empty();
}

/// What has to run for `fetches`, in no order: what they are computed from, and the control dependencies of
/// that. Throws UsageError for a placeholder among it that is not fed.
std::vector<const Node*> find_needed(const std::vector<Tensor>& fetches, const Fed& fed);

/// The nodes of a run, in order.
struct Order {
  std::vector<const Node*> nodes;
  std::unordered_map<const Node*, size_t> position;              ///< in `nodes`
  std::unordered_map<Tensor, std::vector<const Node*>> writers;  ///< of each variable, in order
};

/// Sorts the needed nodes so that a write of a variable comes as late as its dependents allow: what does not
/// depend on it, the gradients of another loss for instance, sees the value before.
Order order_nodes(std::vector<const Node*> needed, const Fed& fed);

}  // namespace belfry::internal
