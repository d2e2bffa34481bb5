#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/layers/layer.h"

namespace belfry {

struct DropoutOptions {
  std::optional<double> rate = {};    ///< probability to drop, in [0, 1); default 0.5
  std::optional<bool> training = {};  ///< default: whether the tower trains
  std::optional<int64_t> seed = {};   ///< default: from the graph's seed and the node's name
  /// Sizes of the random mask, 1 where all elements share it, -1 as the input's. Default: all as the input's.
  std::optional<Shape> noise_shape = {};
};

namespace internal {
Tensor build_dropout(const std::string& who, const Tensor& x, const DropoutOptions& options);
}

/// In training, sets elements to zero with probability `rate` and multiplies the others by 1 / (1 - rate);
/// otherwise gives `x`.
inline constexpr UnnamedLayer<DropoutOptions> Dropout{"Dropout", internal::build_dropout};

}  // namespace belfry
