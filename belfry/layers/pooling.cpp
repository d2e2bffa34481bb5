#include "belfry/layers/pooling.h"

#include "belfry/layers/options.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/reduce.h"

namespace belfry {

namespace {

template <PoolingKind kind>
PoolAttributes attributes_of(const std::string& who, const Tensor& x, const PoolingOptions<kind>& options) {
  const Size2D pool = required_option(who, "pool", options.pool);
  const PoolAttributes attributes{.pool = pool,
                                  .strides = options.strides.value_or(pool),
                                  .padding = padding_for_ops(who, *options.padding),
                                  .data_format = data_format_for_ops(who, *options.data_format)};
  image_channels(who, x, attributes.data_format);
  return attributes;
}

}  // namespace

Tensor detail::build_max_pooling(const std::string& who, const Tensor& x, const MaxPoolingOptions& options) {
  return max_pool2d(x, attributes_of(who, x, options));
}

Tensor detail::build_avg_pooling(const std::string& who, const Tensor& x, const AvgPoolingOptions& options) {
  return avg_pool2d(x, attributes_of(who, x, options));
}

Tensor detail::build_global_avg_pooling(const std::string& who, const Tensor& x,
                                        const GlobalAvgPoolingOptions& options) {
  const std::string data_format = data_format_for_ops(who, *options.data_format);
  image_channels(who, x, data_format);
  return data_format == "NHWC" ? mean(x, {1, 2}) : mean(x, {2, 3});
}

}  // namespace belfry
