#pragma once

#include <cstdint>

namespace belfry::internal {

/// What one sample of a batch takes, in bytes.
struct BatchSplit {
  int64_t working_set = 0;  ///< the most that a node reads and writes
  int64_t values = 0;       ///< all that nodes write
};

/// How many of `batch` samples to compute at a time with each of `threads` threads. Parts whose values stay
/// in the cache are faster, unless their weights, read again for each part, are what takes the time.
int64_t samples_at_once(const BatchSplit& split, int64_t weight_bytes, int64_t batch, int64_t threads,
                        int64_t cache_bytes);

}  // namespace belfry::internal
