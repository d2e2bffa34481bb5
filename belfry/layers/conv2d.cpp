#include "belfry/layers/conv2d.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/layers/internal/activity.h"
#include "belfry/layers/internal/defaults.h"

namespace belfry {

Conv2DOptions::Resolved Conv2DOptions::resolve(const std::string& who) const {
  Resolved options{
      .filters = required(who, "filters", filters),
      .kernel = required(who, "kernel", kernel),
      .strides = strides.value_or(1),
      .padding = padding_for_ops(who, padding.value_or("same")),
      .data_format = data_format_for_ops(who, data_format.value_or("channels_last")),
      .dilation = dilation.value_or(1),
      .groups = groups.value_or(1),
      .activation = activation.value_or(nullptr),
      .use_bias = use_bias.value_or(true),
      .kernel_initializer = kernel_initializer.value_or(internal::default_kernel_initializer()),
      .bias_initializer = bias_initializer.value_or(zeros_initializer()),
      .kernel_regularizer = kernel_regularizer.value_or(nullptr),
      .bias_regularizer = bias_regularizer.value_or(nullptr),
      .activity_regularizer = activity_regularizer.value_or(nullptr),
  };
  if (options.filters < 1 || options.groups < 1 || options.filters % options.groups != 0) {
    throw UsageError(fmt::format("[{}] expected .filters to be a positive multiple of .groups, got {} and {}",
                                 who, options.filters, options.groups));
  }
  return options;
}

Tensor internal::build_conv2d(const std::string& who, const Tensor& x, const Conv2DOptions& given) {
  const auto options = given.resolve(who);
  const int64_t channels = image_channels(who, x, options.data_format);
  if (channels % options.groups != 0) {
    throw UsageError(fmt::format("[{}] expected a number of channels that .groups = {} divides, got {}", who,
                                 options.groups, describe(x)));
  }
  const DType dtype = variable_dtype(who, x);
  const Tensor weights = get_variable(
      "W", {options.kernel.height, options.kernel.width, channels / options.groups, options.filters},
      {.dtype = dtype,
       .initializer = options.kernel_initializer,
       .regularizer = options.kernel_regularizer,
       .memory_order = {3, 0, 1, 2}});
  Tensor bias;
  if (options.use_bias) {
    bias = get_variable(
        "b", {options.filters},
        {.dtype = dtype, .initializer = options.bias_initializer, .regularizer = options.bias_regularizer});
  }
  const Tensor y = conv2d(x, weights, bias,
                          {.strides = options.strides,
                           .padding = options.padding,
                           .dilations = options.dilation,
                           .groups = options.groups,
                           .data_format = options.data_format});
  return internal::activate(y, options.activation, options.activity_regularizer);
}

}  // namespace belfry
