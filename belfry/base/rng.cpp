#include "belfry/base/rng.h"

namespace belfry {

Rng::Rng(uint64_t seed, uint64_t stream) {
  std::seed_seq words{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32),
                      static_cast<uint32_t>(stream), static_cast<uint32_t>(stream >> 32)};
  engine_.seed(words);
}

uint64_t Rng::below(uint64_t n) {
  // Numbers under `bias` would make the small results more likely: 2^64 is not a multiple of n.
  const uint64_t bias = (0 - n) % n;
  uint64_t value = bits();
  while (value < bias) value = bits();
  return value % n;
}

}  // namespace belfry
