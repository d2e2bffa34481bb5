#include "belfry/runtime/internal/reuse_memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

// Blocks that tensors gave back wait by size, to be taken by the next tensor of about that size. Invariant:
// at most as many bytes wait as were ever in use at once, counted after an allocation has succeeded.

namespace belfry::internal {
namespace {

thread_local bool active = false;

/// Stands in front of each block, and keeps the data behind it aligned for the widest vector loads.
struct alignas(64) Header {
  size_t bin;
};

/// Blocks come in bins: multiples of 64 bytes up to 1 KiB, then eight steps for each power of two, so that at
/// most an eighth of a large block is unused.
constexpr size_t kSmallBins = 16, kSmallest = 64, kLargestSmall = kSmallBins * kSmallest, kStepsPerPower = 8;
constexpr size_t kBins = kSmallBins + (64 - 10) * kStepsPerPower;
/// The bin of blocks that go back to the system when they are freed.
constexpr size_t kNotReused = kBins;

size_t bin_of(size_t bytes) {
  if (bytes <= kLargestSmall) return bytes == 0 ? 0 : (bytes - 1) / kSmallest;
  const size_t power = std::bit_width(bytes - 1) - 1;  // 2^power < bytes <= 2^(power + 1)
  const size_t step = (bytes - 1 - (size_t{1} << power)) / ((size_t{1} << power) / kStepsPerPower);
  return kSmallBins + (power - 10) * kStepsPerPower + step;
}

size_t bin_bytes(size_t bin) {
  if (bin < kSmallBins) return (bin + 1) * kSmallest;
  const size_t power = (bin - kSmallBins) / kStepsPerPower + 10, step = (bin - kSmallBins) % kStepsPerPower;
  return (size_t{1} << power) + (step + 1) * ((size_t{1} << power) / kStepsPerPower);
}

/// Blocks that wait for reuse by any thread.
class Pool {
 public:
  Header* take(size_t bin) {
    std::lock_guard lock(mutex_);
    auto& blocks = bins_[bin];
    if (blocks.empty()) return nullptr;
    Header* block = blocks.back();
    blocks.pop_back();
    waiting_ -= bin_bytes(bin);
    count(bin_bytes(bin));
    return block;
  }

  /// Says that a block is in use which the system gave, as take() had none.
  void add(size_t bin) {
    std::lock_guard lock(mutex_);
    count(bin_bytes(bin));
  }

  void give(Header* block) {
    const size_t bytes = bin_bytes(block->bin);
    {
      std::lock_guard lock(mutex_);
      live_ -= bytes;
      if (waiting_ + bytes <= peak_) {
        bins_[block->bin].push_back(block);
        waiting_ += bytes;
        return;
      }
    }
    std::free(block);
  }

  // Never destroyed: tensors of static lifetime may be freed after everything else.
  static Pool& get() {
    static Pool* pool = new Pool;
    return *pool;
  }

 private:
  void count(size_t bytes) {
    live_ += bytes;
    peak_ = std::max(peak_, live_);
  }

  std::mutex mutex_;
  std::array<std::vector<Header*>, kBins> bins_;
  size_t live_ = 0, peak_ = 0, waiting_ = 0;
};

/// Set when a thread's SmallBlocks are destroyed; tensors that die later go back to the system.
thread_local bool small_blocks_gone = false;

/// A thread's own small blocks: no lock, and the memory is likely still in its cache.
class SmallBlocks {
 public:
  ~SmallBlocks() {
    for (auto& bin : bins_) {
      for (size_t i = 0; i < bin.count; ++i) std::free(bin.blocks[i]);
    }
    small_blocks_gone = true;
  }
  Header* take(size_t bin) { return bins_[bin].count ? bins_[bin].blocks[--bins_[bin].count] : nullptr; }
  bool give(Header* block) {
    Bin& bin = bins_[block->bin];
    if (bin.count == bin.blocks.size()) return false;
    bin.blocks[bin.count++] = block;
    return true;
  }

 private:
  struct Bin {
    std::array<Header*, 64> blocks;
    size_t count = 0;
  };
  std::array<Bin, kSmallBins> bins_;
};

thread_local SmallBlocks small_blocks;

void release(void* data) {
  if (!data) return;
  Header* block = static_cast<Header*>(data) - 1;
  if (block->bin == kNotReused) {
    std::free(block);
  } else if (block->bin >= kSmallBins) {
    Pool::get().give(block);
  } else if (small_blocks_gone || !small_blocks.give(block)) {
    std::free(block);
  }
}

Header* new_block(size_t bin, size_t bytes) {
  void* memory = nullptr;
  // The header must not make a small number of a huge one.
  const bool fits = bytes <= SIZE_MAX - sizeof(Header);
  TORCH_CHECK_WITH(OutOfMemoryError,
                   fits && posix_memalign(&memory, alignof(Header), sizeof(Header) + bytes) == 0,
                   "expected memory for a tensor of ", bytes, " bytes, got none from the system");
  return new (memory) Header{bin};
}

/// Reuses the memory of threads under a ReuseMemory guard. Blocks of the others carry the same header, as a
/// raw pointer (oneDNN's scratch memory) may be freed in any thread through the one function that raw_deleter
/// names.
class ReusingAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::kCPU};
    Header* block = active ? take(bin_of(bytes)) : new_block(kNotReused, bytes);
    return {block + 1, block + 1, &release, c10::kCPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }

 private:
  static Header* take(size_t bin) {
    const bool small = bin < kSmallBins;
    Header* block = small ? small_blocks.take(bin) : Pool::get().take(bin);
    if (block) return block;
    block = new_block(bin, bin_bytes(bin));
    if (!small) Pool::get().add(bin);  // what the system refuses is not counted
    return block;
  }
};

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// Installed when the library is loaded, before any thread can hold a raw block of the allocator that it
/// replaces. Not under the sanitizer, from which reused memory would hide errors.
[[maybe_unused]] const bool installed = [] {
  if (!kSanitized) c10::SetCPUAllocator(new ReusingAllocator, /*priority=*/1);
  return !kSanitized;
}();

}  // namespace

ReuseMemory::ReuseMemory() : outer_(active) {
  active = true;
}

ReuseMemory::~ReuseMemory() {
  active = outer_;
}

}  // namespace belfry::internal
