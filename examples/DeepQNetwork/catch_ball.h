#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "belfry/base/rng.h"

namespace dqn {

/// A game: a ball falls through a grid, a row in each step, and the player at the bottom, three cells wide,
/// moves left, stays or moves right. 1 for a ball that is caught, -1 for one that is not; then the game is
/// over.
class CatchBall {
 public:
  static constexpr int64_t kCells = 8, kPixels = 4, kNumActions = 3;
  static std::vector<int64_t> frame_shape() { return {kCells * kPixels, kCells * kPixels}; }

  explicit CatchBall(uint64_t seed) : rng_(seed) { reset(); }

  void reset() {
    row_ = 0;
    column_ = static_cast<int64_t>(rng_.below(kCells));
    player_ = 1 + static_cast<int64_t>(rng_.below(kCells - 2));
  }

  struct Step {
    float reward;
    bool is_over;
  };
  Step step(int64_t action) {
    player_ = std::clamp<int64_t>(player_ + action - 1, 1, kCells - 2);
    ++row_;
    if (row_ < kCells - 1) return {0, false};
    return {std::abs(player_ - column_) <= 1 ? 1.0F : -1.0F, true};
  }

  /// What the player sees: uint8 [height, width].
  at::Tensor frame() const {
    at::Tensor pixels = at::zeros(frame_shape(), at::kByte);
    auto cell = [&](int64_t row, int64_t column) {
      return pixels.narrow(0, row * kPixels, kPixels).narrow(1, column * kPixels, kPixels);
    };
    for (int64_t c = player_ - 1; c <= player_ + 1; ++c) cell(kCells - 1, c).fill_(120);
    cell(row_, column_).fill_(255);
    return pixels;
  }

 private:
  belfry::Rng rng_;
  int64_t row_ = 0, column_ = 0, player_ = 0;
};

}  // namespace dqn
