#pragma once

#include <concepts>

#include "belfry/graph/tensor.h"

namespace belfry {

/// An option of a layer that is a number while building, or a scalar that each run computes: `.rate = 0.5`,
/// `.rate = placeholder("rate", {})`.
struct NumberOrTensor {
  template <typename Number>
  requires std::integral<Number> || std::floating_point<Number> NumberOrTensor(Number value)
      : number(static_cast<double>(value)) {}
  template <std::convertible_to<Tensor> T>
  NumberOrTensor(const T& value) : tensor(value) {}

  bool is_tensor() const { return tensor.defined(); }

  double number = 0;
  Tensor tensor = {};  ///< none: the number counts
};

}  // namespace belfry
