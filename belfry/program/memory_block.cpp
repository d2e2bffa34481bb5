#include "belfry/program/memory_block.h"

#include "belfry/program/memory_plan.h"

namespace belfry::internal {

void* MemoryBlock::at_least(int64_t bytes) {
  if (bytes <= bytes_) return memory_.get();
  memory_.reset();  // first, so that both need not be there at once
  bytes_ = -1;
  const int64_t whole = (bytes / kMemoryAlignment + 1) * kMemoryAlignment;
  memory_.reset(std::aligned_alloc(kMemoryAlignment, static_cast<size_t>(whole)));
  if (memory_) bytes_ = bytes;
  return memory_.get();
}

}  // namespace belfry::internal
