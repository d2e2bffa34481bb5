#pragma once

#include <cstdint>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/options.h"
#include "belfry/ops/initializers.h"

namespace belfry {

struct Conv2DTransposeOptions {
  Option<int64_t> filters = {};  ///< number of output channels; required
  Option<Size2D> kernel = {};    ///< required
  Option<Size2D> strides = by_default(1);
  Option<std::string> padding = by_default("same");  ///< or "valid"
  Option<std::string> data_format = by_default("channels_last");
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
Tensor build_conv2d_transpose(const std::string& who, const Tensor& x, const Conv2DTransposeOptions& options);
}

/// Transposed convolution. With "same" padding the output is `strides` times the input, with "valid" it has
/// max(kernel - strides, 0) more rows and columns. Variables: "W" [kernel height, kernel width, filters,
/// channels], "b" [filters].
inline constexpr Layer<Conv2DTransposeOptions> Conv2DTranspose{"Conv2DTranspose",
                                                               detail::build_conv2d_transpose};
/// tensorpack's other name for it.
inline constexpr const auto& Deconv2D = Conv2DTranspose;

}  // namespace belfry
