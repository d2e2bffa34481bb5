#pragma once

#include <cstddef>

namespace belfry::test {

/// While one lives, aligned memory (LibTorch's tensors, oneDNN's scratch memory) lies right before a page
/// that nobody may touch: who reads or writes beyond it gets SIGSEGV, where it happens. Up to 63 bytes before
/// that page are only looked at when the memory is freed: std::abort() where they were written to.
///
/// Generated code is seen too, which no sanitizer does. Memory is never given out twice, so a test has 1 TiB
/// of addresses. Does nothing in builds with a sanitizer, which has the allocator itself.
class GuardedMemory {
 public:
  GuardedMemory();
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  /// False in builds with a sanitizer.
  static bool works();
};

}  // namespace belfry::test
