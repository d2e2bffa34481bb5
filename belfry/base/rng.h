#pragma once

#include <cstdint>
#include <random>
#include <ranges>
#include <utility>

namespace belfry {

/// A seeded random generator whose numbers are the same on every platform and compiler: the engine is
/// std::mt19937_64, which the standard fixes, while the standard's distributions and std::shuffle are not
/// fixed and are not used here. Not safe to share between threads: give each its own stream.
class Rng {
 public:
  /// Generators with the same `seed` and different `stream` are independent: use the stream for the pass over
  /// the data, the worker or the datapoint.
  explicit Rng(uint64_t seed, uint64_t stream = 0);
  /// One of many streams of a stream: the datapoint `substream` of the pass `stream`.
  Rng(uint64_t seed, uint64_t stream, uint64_t substream);

  /// 64 random bits.
  uint64_t bits() { return engine_(); }
  /// An integer in [0, n), all equally likely. Requires: n > 0.
  uint64_t below(uint64_t n);
  /// A number in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }

  /// Puts the elements in a random order, all orders equally likely.
  template <std::ranges::random_access_range Range>
  void shuffle(Range&& range) {
    auto first = std::ranges::begin(range);
    for (auto n = std::ranges::distance(range); n > 1; --n) {
      std::ranges::swap(first[n - 1], first[static_cast<decltype(n)>(below(static_cast<uint64_t>(n)))]);
    }
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace belfry
