#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "belfry/graph/tensor.h"

namespace belfry {

namespace internal {
[[noreturn]] void throw_missing_option(const std::string& who, const char* option);
}

/// What a layer applies to its outcome: an operator (`relu`), a layer (`BNReLU`), or any function from a
/// tensor to a tensor. nullptr: nothing.
class Activation {
 public:
  Activation(std::nullptr_t = nullptr) {}
  Activation(Tensor (*op)(const Tensor&, const std::string& name))
      : function_([op](const Tensor& x) { return op(x, ""); }) {}
  template <std::invocable<const Tensor&> Function>
  Activation(Function function) : function_(std::move(function)) {}

  Tensor operator()(const Tensor& x) const { return function_ ? function_(x) : x; }

 private:
  std::function<Tensor(const Tensor&)> function_;
};

/// An Activation or nothing. Takes the operators whose names the C library has too (`tanh`, `exp`): a
/// std::optional cannot choose among functions of one name.
class OptionalActivation : public std::optional<Activation> {
 public:
  using std::optional<Activation>::optional;
  OptionalActivation() = default;
  OptionalActivation(const std::optional<Activation>& activation) : std::optional<Activation>(activation) {}
  OptionalActivation(Tensor (*op)(const Tensor&, const std::string& name))
      : std::optional<Activation>(Activation(op)) {}
  /// Of operators with other arguments: says what to write in their place.
  template <typename... Arguments>
  requires(sizeof...(Arguments) > 1) OptionalActivation(Tensor (*)(const Tensor&, Arguments...)) {
    static_assert(sizeof...(Arguments) == 1,
                  "an activation expects an operator of one tensor; one with more arguments is called by a "
                  "lambda: [](const Tensor& x) { return leaky_relu(x, 0.1); }");
  }
};

// For layers: their options and inputs, checked. `who` ("Conv2D conv0") starts the messages of errors.

/// An option that has no default. Throws UsageError when it is open.
template <typename T>
const T& required(const std::string& who, const char* option, const std::optional<T>& value) {
  if (!value) internal::throw_missing_option(who, option);
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
