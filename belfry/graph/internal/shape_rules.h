#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/boxing/KernelFunction.h>

#include <string_view>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry::internal {

/// Computes the outputs of an operator, as tensors on the meta device, from its arguments in the schema's
/// order, where tensors are on the meta device and have concrete sizes. Throws c10::Error on shapes that do
/// not fit.
using ShapeRule = std::vector<at::Tensor> (*)(const c10::Stack& arguments);

/// The rule of an operator of ATen ("aten::convolution", for all its overloads) that has no kernel for the
/// meta device in C++, or null. Belfry's own operators have such kernels beside their real ones.
ShapeRule find_shape_rule(std::string_view op_name);

/// True for reshape and its kin: their second argument is the shape of the result.
bool is_reshape(std::string_view full_name);
/// The shape of a reshape of `from` to `to`, of which one size may be -1: the rest. That size is dynamic
/// where `from` has dynamic dimensions. Throws UsageError when no sizes of these fit.
Shape reshaped(const Shape& from, const std::vector<int64_t>& to);

}  // namespace belfry::internal
