#include "belfry/layers/conv2d_transpose.h"

#include "belfry/layers/internal/activity.h"
#include "belfry/layers/internal/weights.h"
#include "belfry/ops/nn.h"

namespace belfry {

Tensor detail::build_conv2d_transpose(const std::string& who, const Tensor& x,
                                      const Conv2DTransposeOptions& options) {
  const int64_t filters = required_option(who, "filters", options.filters);
  const auto [height, width] = required_option(who, "kernel", options.kernel);
  const ConvTransposeAttributes attributes{.strides = *options.strides,
                                           .padding = padding_for_ops(who, *options.padding),
                                           .data_format = data_format_for_ops(who, *options.data_format)};
  const int64_t channels = image_channels(who, x, attributes.data_format);
  const auto [kernel, bias] =
      internal::get_weights(variable_dtype(who, x), {height, width, filters, channels}, filters, options,
                            internal::kConvolutionOrder);
  const Tensor y = conv2d_transpose(x, kernel, bias, attributes);
  return internal::activate(y, *options.activation, *options.activity_regularizer);
}

}  // namespace belfry
