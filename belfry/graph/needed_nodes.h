#pragma once

#include <vector>

#include "belfry/graph/node.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// The nodes that `fetches` are computed from, inputs first. The nodes of `stop`, and what only they need,
/// are left out. Control inputs are not followed.
std::vector<const Node*> needed_nodes(const std::vector<Tensor>& fetches,
                                      const std::vector<Tensor>& stop = {});

}  // namespace belfry
