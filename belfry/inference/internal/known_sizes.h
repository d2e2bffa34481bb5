#pragma once

#include <vector>

#include "belfry/graph/rewriter.h"

namespace belfry::internal {

/// Whether it is a constant of few integers, of which sizes may be made.
bool may_be_sizes(const Tensor& tensor);

/// What stands for `node` on `inputs`, of the default graph, which may be of sizes that the originals in the
/// node's graph have not, or constants: integers that follow from these are constants, and an operator whose
/// sizes, places or counts are tensors of known integers becomes the one that has them as attributes, so that
/// its shape is known. One tensor for each output; none where a copy of the node does.
std::vector<Tensor> with_known_sizes(const Node& node, const std::vector<Tensor>& inputs);

/// A rule of `rewriter`: the above for all nodes.
Tensor rewrite_with_known_sizes(Rewriter& rewriter, const Node& node);

}  // namespace belfry::internal
