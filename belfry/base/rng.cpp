#include "belfry/base/rng.h"

#include <initializer_list>
#include <vector>

namespace belfry {

namespace {

std::mt19937_64 engine_of(std::initializer_list<uint64_t> numbers) {
  std::vector<uint32_t> halves;
  for (uint64_t number : numbers) {
    halves.push_back(static_cast<uint32_t>(number));
    halves.push_back(static_cast<uint32_t>(number >> 32));
  }
  std::seed_seq words(halves.begin(), halves.end());
  return std::mt19937_64(words);
}

}  // namespace

Rng::Rng(uint64_t seed, uint64_t stream) : engine_(engine_of({seed, stream})) {}

Rng::Rng(uint64_t seed, uint64_t stream, uint64_t substream)
    : engine_(engine_of({seed, stream, substream})) {}

uint64_t Rng::below(uint64_t n) {
  // Numbers under `bias` would make the small results more likely: 2^64 is not a multiple of n.
  const uint64_t bias = (0 - n) % n;
  uint64_t value = bits();
  while (value < bias) value = bits();
  return value % n;
}

}  // namespace belfry
