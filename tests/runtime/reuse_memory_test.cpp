#include "belfry/runtime/internal/reuse_memory.h"

#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>
#include <vector>

namespace belfry {
namespace {

using namespace internal;

/// What oneDNN does for its scratch memory.
void* raw_block(size_t bytes) {
  return c10::GetCPUAllocator()->raw_allocate(bytes);
}
void free_raw_block(void* block) {
  c10::GetCPUAllocator()->raw_deallocate(block);
}

TEST(ReuseMemoryTest, ARawBlockTakenBeforeAGuardIsFreedUnderIt) {
  void* block = raw_block(100);
  const ReuseMemory guard;
  free_raw_block(block);
}

TEST(ReuseMemoryTest, ARawBlockTakenUnderAGuardIsFreedAfterIt) {
  void* block = nullptr;
  {
    const ReuseMemory guard;
    block = raw_block(5000);
  }
  free_raw_block(block);
}

TEST(ReuseMemoryTest, DataIsAligned) {
  const ReuseMemory guard;
  for (int64_t size : {1, 13, 39, 1000, 100000}) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(at::empty({size}).data_ptr()) % 64, 0u) << size;
  }
}

TEST(ReuseMemoryTest, TensorsMayBeFreedInAnotherThread) {
  std::vector<at::Tensor> tensors;
  {
    const ReuseMemory guard;
    for (int64_t size : {13, 39, 100000}) tensors.push_back(at::empty({size}).fill_(size));
  }
  std::thread([moved = std::move(tensors)]() mutable {
    EXPECT_EQ(moved[1][38].item<float>(), 39);
    moved.clear();
  }).join();
}

/// Bytes of the address space that the process has.
int64_t address_space() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * 4096;
}

TEST(ReuseMemoryTest, AnAllocationThatFailedIsNotTakenForMemoryInUse) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's allocator keeps the addresses of freed memory";
#endif
  const ReuseMemory guard;
  EXPECT_THROW(at::empty({int64_t{1} << 60}), c10::OutOfMemoryError);
  const int64_t before = address_space();
  for (int64_t megabytes : {100, 120, 140, 160, 180, 200}) at::empty({megabytes << 18});
  EXPECT_LT(address_space() - before, int64_t{300} << 20);  // all of them would be 900
}

}  // namespace
}  // namespace belfry
