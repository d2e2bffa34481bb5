#pragma once

#include <cstdint>

#include "belfry/graph/node.h"

namespace belfry::cli {

/// Additions and multiplications of convolutions, matrix products and attention, where one multiply-add
/// counts as two; 0 for other operators, which cost little beside these. Requires: static shapes.
int64_t flops_of(const Node& node);

}  // namespace belfry::cli
