#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/stack.h>

#include <string_view>
#include <vector>

namespace belfry::internal {

/// Computes the outputs of an operator, as tensors on the meta device, from its arguments in the schema's
/// order, where tensors are on the meta device and have concrete sizes. Throws c10::Error on shapes that do
/// not fit.
using ShapeRule = std::vector<at::Tensor> (*)(const c10::Stack& arguments);

/// The rule of an operator ("aten::convolution", "belfry::conv2d") that cannot run on the meta device itself,
/// or null.
ShapeRule find_shape_rule(std::string_view op_name);

}  // namespace belfry::internal
