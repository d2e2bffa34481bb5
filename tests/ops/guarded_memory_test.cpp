// posix_memalign and free of this program, in front of the C library's, and the test that they see faults.
//
// Idea: a range of addresses is reserved once; each allocation takes the next pages of it and one more, which
// stays without rights. Invariant: what lies in the range is ours, so free() knows it by its address; all
// else is the C library's. Source: malloc(3), "Electric Fence" by Bruce Perens, for the idea.
#include "tests/ops/guarded_memory.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

namespace belfry::test {
GuardedMemory::GuardedMemory() = default;
GuardedMemory::~GuardedMemory() = default;
bool GuardedMemory::works() {
  return false;
}
}  // namespace belfry::test

#else

extern "C" {
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);
}

namespace belfry::test {
namespace {

constexpr size_t kRange = size_t{1} << 40, kPage = 4096, kAlignment = 64;
constexpr unsigned char kUntouched = 0xA5;

std::atomic<int> living = 0;
std::atomic<char*> range = nullptr;
std::atomic<size_t> used = 0;

/// At the beginning of an allocation's first page.
struct Header {
  size_t size;   // asked for
  size_t pages;  // without the guard, in bytes
};

size_t rounded(size_t size, size_t unit) {
  return (size + unit - 1) / unit * unit;
}

bool is_guarded(const void* memory) {
  const char* begin = range.load(std::memory_order_acquire);
  return begin && memory >= begin && memory < begin + kRange;
}

void* allocate_guarded(size_t size) {
  const size_t aligned = rounded(size, kAlignment), pages = rounded(aligned + kAlignment, kPage);
  const size_t offset = used.fetch_add(pages + kPage);
  if (offset + pages + kPage > kRange) return nullptr;
  char* first = range.load() + offset;
  if (mprotect(first, pages, PROT_READ | PROT_WRITE) != 0) return nullptr;
  new (first) Header{size, pages};
  char* memory = first + pages - aligned;
  std::memset(memory + size, kUntouched, aligned - size);
  return memory;
}

void free_guarded(void* memory) {
  char* at = static_cast<char*>(memory);
  char* page = at - reinterpret_cast<uintptr_t>(at) % kPage;
  // The header's page is the first: either the one that the memory begins in, or the one before it.
  char* first = at - page >= static_cast<ptrdiff_t>(kAlignment) ? page : page - kPage;
  const Header header = *reinterpret_cast<const Header*>(first);
  const char* tail = at + header.size;
  const bool touched = std::any_of(tail, static_cast<const char*>(first) + header.pages,
                                   [](char byte) { return static_cast<unsigned char>(byte) != kUntouched; });
  if (touched) std::abort();
  madvise(first, header.pages, MADV_DONTNEED);
  mprotect(first, header.pages, PROT_NONE);
}

}  // namespace

GuardedMemory::GuardedMemory() {
  if (!range) {
    void* reserved = mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED) throw std::bad_alloc();
    range = static_cast<char*>(reserved);
  }
  ++living;
}

GuardedMemory::~GuardedMemory() {
  --living;
}

bool GuardedMemory::works() {
  return true;
}

}  // namespace belfry::test

extern "C" {

[[gnu::visibility("default")]] int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  using namespace belfry::test;
  const bool guarded = living.load(std::memory_order_relaxed) > 0 && alignment <= kPage && size > 0;
  // A page's alignment is asked for by oneDNN's generated code, which is given it by whole pages.
  const size_t whole = alignment > kAlignment ? rounded(size, alignment) : size;
  *memory = guarded ? allocate_guarded(whole) : __libc_memalign(alignment, size);
  return *memory ? 0 : ENOMEM;
}

[[gnu::visibility("default")]] void free(void* memory) noexcept {
  using namespace belfry::test;
  is_guarded(memory) ? free_guarded(memory) : __libc_free(memory);
}
}

#endif

namespace belfry::test {
namespace {

TEST(GuardedMemoryDeathTest, SeesWhoWritesBeyondIt) {
  if (!GuardedMemory::works()) GTEST_SKIP() << "a sanitizer has the allocator";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto write_at = [](int64_t index) {
    const GuardedMemory guarded;
    at::Tensor x = at::zeros({100});
    x.data_ptr<float>()[index] = 1;
  };
  write_at(99);
  EXPECT_EXIT(write_at(100), testing::KilledBySignal(SIGABRT), "");
  EXPECT_EXIT(write_at(112), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace belfry::test
