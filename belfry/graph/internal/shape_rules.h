#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/boxing/KernelFunction.h>

#include <string_view>
#include <vector>

namespace belfry::internal {

/// Computes the outputs of an operator, as tensors on the meta device, from its arguments in the schema's
/// order, where tensors are on the meta device and have concrete sizes. Throws c10::Error on shapes that do
/// not fit.
using ShapeRule = std::vector<at::Tensor> (*)(const c10::Stack& arguments);

/// The rule of an operator of ATen ("aten::convolution", for all its overloads) that has no kernel for the
/// meta device in C++, or null. Belfry's own operators have such kernels beside their real ones.
ShapeRule find_shape_rule(std::string_view op_name);

}  // namespace belfry::internal
