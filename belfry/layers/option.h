#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "belfry/layers/activation.h"
#include "belfry/ops/nn.h"

namespace belfry {

namespace detail {

/// What by_default makes.
template <typename T>
struct Default {
  T value;
};

}  // namespace detail

/// The value that an Option has until it is set.
template <typename T>
detail::Default<T> by_default(T value) {
  return {std::move(value)};
}

/// A field of a layer's options: a std::optional that knows its default, and whether it was set.
///
///     struct MyLayerOptions {
///       Option<int64_t> units = {};                // no default: see required_option()
///       Option<bool> use_bias = by_default(true);
///     };
///
/// A call of the layer sets a field by `.use_bias = false`. What it leaves is taken from the ArgScope, then
/// from the default, before the layer reads it: `*options.use_bias`. std::nullopt leaves a field, as if it
/// were not mentioned.
template <typename T>
class Option : public std::optional<T> {
 public:
  using std::optional<T>::optional;
  Option() = default;
  Option(const std::optional<T>& value) : std::optional<T>(value) {}
  template <std::convertible_to<T> Value>
  Option(detail::Default<Value> value) : std::optional<T>(std::move(value.value)), is_default_(true) {}

  // A std::optional takes neither `{3, 5}` for a size, nor the operators whose names the C library has too
  // (`tanh`, `exp`): it cannot choose among functions of one name.
  Option(int64_t height, int64_t width) requires std::same_as<T, Size2D>
      : std::optional<T>(Size2D(height, width)) {}
  Option(Tensor (*op)(const Tensor&, const std::string& name)) requires std::same_as<T, Activation>
      : std::optional<T>(Activation(op)) {}
  /// Of operators with other arguments: says what to write in their place.
  template <typename... Arguments>
  requires(std::same_as<T, Activation> && sizeof...(Arguments) > 1)
      Option(Tensor (*)(const Tensor&, Arguments...)) {
    static_assert(sizeof...(Arguments) == 1,
                  "an activation expects an operator of one tensor; one with more arguments is called by a "
                  "lambda: [](const Tensor& x) { return leaky_relu(x, 0.1); }");
  }

  /// Whether there is a value that is not the default.
  bool is_set() const { return this->has_value() && !is_default_; }

  // Values change by assignment alone, which also notes that they were set.
  const T& operator*() const { return std::optional<T>::operator*(); }
  const T* operator->() const { return std::optional<T>::operator->(); }
  void emplace() = delete;

 private:
  bool is_default_ = false;
};

}  // namespace belfry
