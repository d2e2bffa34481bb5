#pragma once

#include <unordered_set>
#include <vector>

#include "belfry/graph/node.h"
#include "belfry/runtime/internal/order.h"

namespace belfry::internal {

/// What one gradients node needs recorded.
struct Recording {
  const Node* gradients;
  std::unordered_set<const Node*> above;  ///< what the loss is computed from
  std::unordered_set<const Node*> nodes;  ///< those of them that an x flows into
};

/// What autograd records in a run.
struct Recordings {
  std::vector<Recording> of_gradients;        ///< in the order of the run
  std::unordered_set<const Node*> nodes;      ///< of all of them
  std::unordered_set<Tensor> differentiated;  ///< the xs of all gradients nodes

  /// Requires: `gradients` is one of the run.
  const Recording& of(const Node& gradients) const;
  /// True when a gradients node after `recording` needs one of its nodes recorded too.
  bool is_shared_later(const Recording& recording) const;
};

/// Finds what lies between the xs and the loss of each gradients node. Throws UsageError where that writes a
/// variable.
Recordings find_recordings(const Order& order, const Fed& fed);

}  // namespace belfry::internal
