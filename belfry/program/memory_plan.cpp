#include "belfry/program/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace belfry::internal {
namespace {

int64_t aligned(int64_t bytes) {
  return (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
}

bool live_together(const MemoryUse& a, const MemoryUse& b) {
  return a.first <= b.last && b.first <= a.last;
}

}  // namespace

MemoryPlan plan_memory(const std::vector<MemoryUse>& uses) {
  std::vector<size_t> order(uses.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return uses[a].bytes > uses[b].bytes; });

  MemoryPlan plan{.offsets = std::vector<int64_t>(uses.size())};
  std::vector<size_t> placed;  // by offset
  for (const size_t next : order) {
    int64_t offset = 0;
    for (const size_t other : placed) {
      if (!live_together(uses[next], uses[other])) continue;
      if (offset + uses[next].bytes <= plan.offsets[other]) break;
      offset = std::max(offset, aligned(plan.offsets[other] + uses[other].bytes));
    }
    plan.offsets[next] = offset;
    plan.bytes = std::max(plan.bytes, offset + uses[next].bytes);
    placed.insert(std::ranges::upper_bound(placed, offset, {}, [&](size_t i) { return plan.offsets[i]; }),
                  next);
  }
  return plan;
}

}  // namespace belfry::internal
