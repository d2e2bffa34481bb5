#pragma once

#include <vector>

#include "belfry/graph/function.h"
#include "belfry/graph/node.h"

namespace belfry::internal {

/// The function's nodes in an order in which values live short: each time, of the nodes whose inputs are
/// there, the one after which the least memory is in use. The gradient by a weight so comes right after that
/// by its layer's output, while this is in the cache, and lets go of the activation; in the order of the
/// graph it would come last, and all of them would wait for it.
///
/// Collectives come in an order that does not depend on sizes; a reduction that is waited for later begins at
/// once.
std::vector<const Node*> schedule(const Function& function);
}  // namespace belfry::internal
