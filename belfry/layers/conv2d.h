#pragma once

#include <cstdint>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/options.h"
#include "belfry/ops/initializers.h"

namespace belfry {

struct Conv2DOptions {
  Option<int64_t> filters = {};  ///< number of output channels; required
  Option<Size2D> kernel = {};    ///< required
  Option<Size2D> strides = by_default(1);
  Option<std::string> padding = by_default("same");  ///< TensorFlow's, or "valid"
  Option<std::string> data_format = by_default("channels_last");
  Option<Size2D> dilation = by_default(1);
  Option<int64_t> groups = by_default(1);  ///< tensorpack's `split`
  Option<Activation> activation = by_default(nullptr);
  Option<bool> use_bias = by_default(true);
  Option<Initializer> kernel_initializer = by_default(detail::default_kernel_initializer());
  Option<Initializer> bias_initializer = by_default(zeros_initializer());
  Option<Regularizer> kernel_regularizer = by_default(nullptr);
  Option<Regularizer> bias_regularizer = by_default(nullptr);
  /// Of the layer's outcome; its loss counts per sample of the batch.
  Option<Regularizer> activity_regularizer = by_default(nullptr);
};

namespace detail {
Tensor build_conv2d(const std::string& who, const Tensor& x, const Conv2DOptions& options);
}

/// Convolution of images. Variables: "W" [kernel height, kernel width, channels / groups, filters], "b"
/// [filters].
inline constexpr Layer<Conv2DOptions> Conv2D{"Conv2D", detail::build_conv2d};

}  // namespace belfry
