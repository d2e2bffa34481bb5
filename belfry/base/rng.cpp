#include "belfry/base/rng.h"

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

}  // namespace

Rng::Rng(uint64_t seed, uint64_t stream) : engine_(engine_of(seed, stream)) {}

// Made for each datapoint, so from one number, which takes a quarter of the time that a std::seed_seq takes.
Rng::Rng(uint64_t seed, uint64_t stream, uint64_t substream)
    : engine_(mixed(mixed(mixed(seed + 1) + stream + 1) + substream + 1)) {}

uint64_t Rng::below(uint64_t n) {
  // Numbers under `bias` would make the small results more likely: 2^64 is not a multiple of n.
  const uint64_t bias = (0 - n) % n;
  uint64_t value = bits();
  while (value < bias) value = bits();
  return value % n;
}

}  // namespace belfry
