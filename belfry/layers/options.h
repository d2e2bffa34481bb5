#pragma once

#include <cstdint>
#include <string>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/option.h"

namespace belfry {

namespace detail {
[[noreturn]] void throw_missing_option(const std::string& who, const char* option);
/// The default of weights, tensorpack's: a normal of variance 2 / fan in (He et al., 2015), not truncated.
Initializer default_kernel_initializer();
}  // namespace detail

// For layers: their options and inputs, checked. `who` ("Conv2D conv0") starts the messages of errors.

/// An option that has no default. Throws UsageError when it is not set.
template <typename T>
const T& required_option(const std::string& who, const char* option, const Option<T>& value) {
  if (!value) detail::throw_missing_option(who, option);
  return *value;
}

/// The dtype of the variables of a layer on `x`. Throws UsageError when `x` is not of floating point.
DType variable_dtype(const std::string& who, const Tensor& x);

/// The number of channels of an image tensor, in the format of an operator. Throws UsageError when `x` is not
/// 4-D or the number is dynamic.
int64_t image_channels(const std::string& who, const Tensor& x, const std::string& data_format);

/// As above, of images or [N, C].
int64_t channels_of(const std::string& who, const Tensor& x, const std::string& data_format);

// Layers take TensorFlow's and tensorpack's words for padding and data format, and give operators theirs.

/// "SAME" or "VALID", from these words in upper or lower case. Throws UsageError for another word.
std::string padding_for_ops(const std::string& who, const std::string& padding);
/// "NHWC" or "NCHW", from these words or "channels_last" and "channels_first". Throws UsageError for another
/// word.
std::string data_format_for_ops(const std::string& who, const std::string& data_format);

}  // namespace belfry
