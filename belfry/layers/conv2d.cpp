#include "belfry/layers/conv2d.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/layers/internal/activity.h"
#include "belfry/layers/internal/weights.h"
#include "belfry/ops/nn.h"

namespace belfry {

Tensor detail::build_conv2d(const std::string& who, const Tensor& x, const Conv2DOptions& options) {
  const int64_t filters = required_option(who, "filters", options.filters);
  const auto [height, width] = required_option(who, "kernel", options.kernel);
  const ConvAttributes attributes{.strides = *options.strides,
                                  .padding = padding_for_ops(who, *options.padding),
                                  .dilations = *options.dilation,
                                  .groups = *options.groups,
                                  .data_format = data_format_for_ops(who, *options.data_format)};
  const int64_t groups = attributes.groups;
  if (filters < 1 || groups < 1 || filters % groups != 0) {
    throw UsageError(fmt::format("[{}] expected .filters to be a positive multiple of .groups, got {} and {}",
                                 who, filters, groups));
  }
  const int64_t channels = image_channels(who, x, attributes.data_format);
  if (channels % groups != 0) {
    throw UsageError(fmt::format("[{}] expected a number of channels that .groups = {} divides, got {}", who,
                                 groups, describe(x)));
  }
  const auto [kernel, bias] =
      internal::get_weights(variable_dtype(who, x), {height, width, channels / groups, filters}, filters,
                            options, internal::kConvolutionOrder);
  const Tensor y = conv2d(x, kernel, bias, attributes);
  return internal::activate(y, *options.activation, *options.activity_regularizer);
}

}  // namespace belfry
