#pragma once

#include <vector>

#include "belfry/graph/function.h"

namespace belfry::internal {

/// Whether it is a constant of few integers, of which sizes may be made.
bool may_be_sizes(const Tensor& tensor);

/// What stands for `node` on `inputs`, of the default graph, which may be of sizes that the originals in the
/// node's graph have not, or constants: integers that follow from these are constants, and an operator whose
/// sizes, places or counts are tensors of known integers becomes the one that has them as attributes, so that
/// its shape is known. One tensor for each output; none where a copy of the node does.
std::vector<Tensor> with_known_sizes(const Node& node, const std::vector<Tensor>& inputs);

/// A copy of a function for inputs of these shapes, its nodes as above.
Function with_known_sizes(const Function& function, const std::vector<Shape>& input_shapes);

}  // namespace belfry::internal
