#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace belfry::internal {

/// Memory for programs of which one runs at a time: as much as the largest needs. It moves when it grows.
class MemoryBlock {
 public:
  /// At least so many bytes, aligned for any instruction; null where there is no more. What lay there is lost
  /// where it grows.
  void* at_least(int64_t bytes);

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  int64_t bytes_ = -1;
};

}  // namespace belfry::internal
