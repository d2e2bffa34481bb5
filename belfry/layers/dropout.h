#pragma once

#include <cstdint>
#include <string>

#include "belfry/layers/layer.h"
#include "belfry/layers/number_or_tensor.h"
#include "belfry/layers/option.h"

namespace belfry {

struct DropoutOptions {
  /// Probability to drop, in [0, 1); a tensor is not checked.
  Option<NumberOrTensor> rate = by_default(NumberOrTensor(0.5));
  Option<NumberOrTensor> keep_prob = {};  ///< probability to keep, instead of the rate
  Option<bool> training = {};             ///< default: whether the tower trains
  Option<int64_t> seed = {};              ///< default: from the graph's seed and the node's name
  /// Sizes of the random mask, 1 where all elements share it, -1 as the input's; empty: all as the input's.
  Option<Shape> noise_shape = by_default(Shape{});
};

namespace detail {
Tensor build_dropout(const std::string& who, const Tensor& x, const DropoutOptions& options);
}

/// In training, sets elements to zero with probability `rate` and multiplies the others by 1 / (1 - rate);
/// otherwise gives `x`.
inline constexpr UnnamedLayer<DropoutOptions> Dropout{"Dropout", detail::build_dropout};

}  // namespace belfry
