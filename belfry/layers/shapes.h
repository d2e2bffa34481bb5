#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "belfry/layers/layer.h"
#include "belfry/layers/option.h"

namespace belfry {

struct FixedUnPoolingOptions {
  Option<Size2D> shape = {};  ///< how much larger each pixel becomes; required
  /// [height, width] of `shape`, of the dtype of the input: what stands for a pixel of 1. Default: 1 at the
  /// top left, else 0.
  Option<Tensor> unpool_mat = {};
  Option<std::string> data_format = by_default("channels_last");
};

namespace detail {
Tensor build_fixed_unpooling(const std::string& who, const Tensor& x, const FixedUnPoolingOptions& options);
}

/// The Kronecker product of each image's height and width with a matrix.
inline constexpr Layer<FixedUnPoolingOptions> FixedUnPooling{"FixedUnPooling", detail::build_fixed_unpooling};

/// In a chain: what it is applied to, then `tensors`, along `axis`. `x | ConcatWith({skip}, 3)`
LayerCall ConcatWith(std::vector<Tensor> tensors, int64_t axis);

}  // namespace belfry
