#include "belfry/base/rng.h"

#include <atomic>

#include "belfry/base/global_seed.h"

namespace belfry {

namespace {

std::mt19937_64 engine_of(uint64_t seed, uint64_t stream) {
  std::seed_seq words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                      static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  return std::mt19937_64(words);
}

// The output function of SplitMix64: each bit of the result depends on all bits of `x`.
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// What seeds are changed by: 0, which is no change, without a global seed.
std::atomic<uint64_t> global_change = 0;
std::atomic<uint64_t> global_seed = 0;
std::atomic<bool> has_global_seed = false;

}  // namespace

void fix_rng_seed(std::optional<uint64_t> seed) {
  global_seed = seed.value_or(0);
  has_global_seed = seed.has_value();
  global_change = seed ? mixed(*seed + 0x9e3779b97f4a7c15u) : 0;
}

std::optional<uint64_t> fixed_rng_seed() {
  return has_global_seed ? std::optional(global_seed.load()) : std::nullopt;
}

Rng::Rng(uint64_t seed, uint64_t stream) : engine_(engine_of(seed ^ global_change, stream)) {}

// Made for each datapoint, so from one number, which takes a quarter of the time that a std::seed_seq takes.
Rng::Rng(uint64_t seed, uint64_t stream, uint64_t substream)
    : engine_(mixed(mixed(mixed((seed ^ global_change) + 1) + stream + 1) + substream + 1)) {}

uint64_t Rng::below(uint64_t n) {
  // Numbers under `bias` would make the small results more likely: 2^64 is not a multiple of n.
  const uint64_t bias = (0 - n) % n;
  uint64_t value = bits();
  while (value < bias) value = bits();
  return value % n;
}

}  // namespace belfry
