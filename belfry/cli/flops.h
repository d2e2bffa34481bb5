#pragma once

#include <cstdint>

#include "belfry/graph/node.h"

namespace belfry::cli {

/// True for convolutions, matrix products and attention, which cost the most.
bool is_product(const Node& node);

/// Operations on numbers: 2 for each multiply-add of a product and 1 for each addition of a bias, 4 for each
/// score of a softmax, the elements of the window for each result of a pool, 2 for each element of
/// batch_norm, 7 of layer_norm and group_norm, 3 of l2_normalize, 1 for each element that is reduced and each
/// result of any other function that works element by element. 0 for the rest, which moves elements.
/// Requires: static shapes.
int64_t flops_of(const Node& node);

}  // namespace belfry::cli
