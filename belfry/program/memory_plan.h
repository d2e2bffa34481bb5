#pragma once

#include <cstdint>
#include <vector>

namespace belfry::internal {

/// Planned places are multiples of it: a line of the cache, and the widest vector.
inline constexpr int64_t kMemoryAlignment = 64;

/// How much memory a value takes, and for how long: from the first instruction that writes it to the last
/// that reads it.
struct MemoryUse {
  int64_t bytes = 0, first = 0, last = 0;
};

struct MemoryPlan {
  std::vector<int64_t> offsets;  ///< of each use
  int64_t bytes = 0;             ///< of the block that all of them lie in
};

/// Gives each use a place in one block; those that live at the same time do not overlap. Large ones choose
/// first, each the lowest place that is free all its life.
MemoryPlan plan_memory(const std::vector<MemoryUse>& uses);

}  // namespace belfry::internal
