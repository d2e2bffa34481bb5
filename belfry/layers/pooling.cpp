#include "belfry/layers/pooling.h"

#include "belfry/layers/options.h"
#include "belfry/ops/reduce.h"

namespace belfry {

template <PoolingKind kind>
PoolAttributes PoolingOptions<kind>::resolve(const std::string& who) const {
  return {
      .pool = required(who, "pool", pool),
      .strides = strides.value_or(*pool),
      .padding = padding_for_ops(who, padding.value_or("valid")),
      .data_format = data_format_for_ops(who, data_format.value_or("channels_last")),
  };
}

template struct PoolingOptions<PoolingKind::kMax>;
template struct PoolingOptions<PoolingKind::kAverage>;

Tensor internal::build_max_pooling(const std::string& who, const Tensor& x,
                                   const MaxPoolingOptions& options) {
  const PoolAttributes attributes = options.resolve(who);
  image_channels(who, x, attributes.data_format);
  return max_pool2d(x, attributes);
}

Tensor internal::build_avg_pooling(const std::string& who, const Tensor& x,
                                   const AvgPoolingOptions& options) {
  const PoolAttributes attributes = options.resolve(who);
  image_channels(who, x, attributes.data_format);
  return avg_pool2d(x, attributes);
}

Tensor internal::build_global_avg_pooling(const std::string& who, const Tensor& x,
                                          const GlobalAvgPoolingOptions& options) {
  const std::string data_format = data_format_for_ops(who, options.data_format.value_or("channels_last"));
  image_channels(who, x, data_format);
  return data_format == "NHWC" ? mean(x, {1, 2}) : mean(x, {2, 3});
}

}  // namespace belfry
