#pragma once

#include <optional>

#include "belfry/graph/function.h"
#include "belfry/program/batch_split.h"

namespace belfry::internal {

/// Says that each sample of a batch, the unknown first dimension of feeds and fetches, is computed from the
/// same sample of the feeds alone, so that a batch may be computed in parts. nullopt where that is not
/// certain.
std::optional<BatchSplit> find_batch_split(const Function& graph);

}  // namespace belfry::internal
