#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/options.h"
#include "belfry/ops/nn.h"

namespace belfry {

struct Conv2DTransposeOptions {
  std::optional<int64_t> filters = {};                 ///< number of output channels; required
  OptionalSize2D kernel = {};                          ///< required
  OptionalSize2D strides = {};                         ///< default 1
  std::optional<std::string> padding = {};             ///< "same" or "valid"; default "same"
  std::optional<std::string> data_format = {};         ///< default "channels_last"
  OptionalActivation activation = {};                  ///< default none
  std::optional<bool> use_bias = {};                   ///< default true
  std::optional<Initializer> kernel_initializer = {};  ///< default: normal of variance 2 / fan in
  std::optional<Initializer> bias_initializer = {};    ///< default zeros
  std::optional<Regularizer> kernel_regularizer = {};  ///< default none
  std::optional<Regularizer> bias_regularizer = {};    ///< default none
  /// Of the layer's outcome; its loss counts per sample of the batch. Default none.
  std::optional<Regularizer> activity_regularizer = {};

  struct Resolved;
  /// These options with the defaults for what is open. Throws UsageError, starting with `who`, when `filters`
  /// or `kernel` is.
  Resolved resolve(const std::string& who) const;
};

struct Conv2DTransposeOptions::Resolved {
  int64_t filters;
  Size2D kernel, strides;
  std::string padding, data_format;  ///< in the words of operators
  Activation activation;
  bool use_bias;
  Initializer kernel_initializer, bias_initializer;
  Regularizer kernel_regularizer, bias_regularizer, activity_regularizer;
};

namespace internal {
Tensor build_conv2d_transpose(const std::string& who, const Tensor& x, const Conv2DTransposeOptions& options);
}

/// Transposed convolution. With "same" padding the output is `strides` times the input, with "valid" it has
/// max(kernel - strides, 0) more rows and columns. Variables: "W" [kernel height, kernel width, filters,
/// channels], "b" [filters].
inline constexpr Layer<Conv2DTransposeOptions> Conv2DTranspose{"Conv2DTranspose",
                                                               internal::build_conv2d_transpose};
/// tensorpack's other name for it.
inline constexpr const auto& Deconv2D = Conv2DTranspose;

}  // namespace belfry
