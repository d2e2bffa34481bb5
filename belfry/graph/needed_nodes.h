#pragma once

#include <vector>

#include "belfry/graph/node.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// The nodes that `fetches` are computed from, inputs first. The nodes of `stop`, and what only they need,
/// are left out. Control inputs are not followed.
std::vector<const Node*> needed_nodes(const std::vector<Tensor>& fetches,
                                      const std::vector<Tensor>& stop = {});

/// Whether a run that computes `fetches`, and is fed `feeds`, runs `node`: for its values, or because a node
/// that is run must come after it.
bool is_needed(const Node& node, const std::vector<Tensor>& fetches, const std::vector<Tensor>& feeds = {});

}  // namespace belfry
