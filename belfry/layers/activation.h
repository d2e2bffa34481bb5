#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "belfry/graph/tensor.h"

namespace belfry {

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

}  // namespace belfry
