#pragma once

#include <string>

#include "belfry/layers/layer.h"
#include "belfry/layers/option.h"

namespace belfry {

enum class PoolingKind { kMax, kAverage };

/// The options of MaxPooling and AvgPooling: two types, so that an ArgScope can tell them apart.
template <PoolingKind kind>
struct PoolingOptions {
  Option<Size2D> pool = {};                           ///< required
  Option<Size2D> strides = {};                        ///< default: as `pool`
  Option<std::string> padding = by_default("valid");  ///< or "same" (TensorFlow's)
  Option<std::string> data_format = by_default("channels_last");
};
using MaxPoolingOptions = PoolingOptions<PoolingKind::kMax>;
using AvgPoolingOptions = PoolingOptions<PoolingKind::kAverage>;

struct GlobalAvgPoolingOptions {
  Option<std::string> data_format = by_default("channels_last");
};

namespace detail {
Tensor build_max_pooling(const std::string& who, const Tensor& x, const MaxPoolingOptions& options);
Tensor build_avg_pooling(const std::string& who, const Tensor& x, const AvgPoolingOptions& options);
Tensor build_global_avg_pooling(const std::string& who, const Tensor& x,
                                const GlobalAvgPoolingOptions& options);
}  // namespace detail

/// The largest value of each window. Padding never wins.
inline constexpr Layer<MaxPoolingOptions> MaxPooling{"MaxPooling", detail::build_max_pooling};
/// The mean of each window. Padding is not counted.
inline constexpr Layer<AvgPoolingOptions> AvgPooling{"AvgPooling", detail::build_avg_pooling};
/// The mean over height and width: [N, H, W, C] to [N, C].
inline constexpr Layer<GlobalAvgPoolingOptions> GlobalAvgPooling{"GlobalAvgPooling",
                                                                 detail::build_global_avg_pooling};

}  // namespace belfry
