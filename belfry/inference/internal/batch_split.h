#pragma once

#include <cstdint>
#include <optional>

#include "belfry/graph/function.h"

namespace belfry::internal {

/// What one sample of a batch takes, in bytes.
struct BatchSplit {
  int64_t working_set = 0;  ///< the most that a node reads and writes
  int64_t values = 0;       ///< all that nodes write
};

/// Says that each sample of a batch, the unknown first dimension of feeds and fetches, is computed from the
/// same sample of the feeds alone, so that a batch may be computed in parts. nullopt where that is not
/// certain.
std::optional<BatchSplit> find_batch_split(const Function& graph);

/// How many of `batch` samples to compute at a time with each of `threads` threads. Parts whose values stay
/// in the cache are faster, unless their weights, read again for each part, are what takes the time.
int64_t samples_at_once(const BatchSplit& split, int64_t weight_bytes, int64_t batch, int64_t threads,
                        int64_t cache_bytes);

}  // namespace belfry::internal
