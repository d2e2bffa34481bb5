#pragma once

#include <span>
#include <string>
#include <string_view>

#include "belfry/graph/tensor.h"

namespace belfry::internal {

/// A function of one tensor, element by element, and the operators of the formats that have its meaning. One
/// row makes it written, read, and known to graph files.
struct ElementwiseFunction {
  std::string_view op;     ///< its tensor is "self"
  const char* onnx;        ///< null: none, see onnx/*_ops.cpp
  const char* tensorflow;  ///< null: none, see tensorflow/*_ops.cpp
  /// Adds its node; what an operator of ONNX's is read as.
  Tensor (*function)(const Tensor& x, const std::string& name);
};

std::span<const ElementwiseFunction> elementwise_functions();

}  // namespace belfry::internal
