#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/core/boxing/KernelFunction.h>

#include <string_view>
#include <vector>

namespace belfry::internal {

/// Computes the outputs' dtypes and sizes of an operator that the meta device does not know. Gets its
/// arguments in schema order, tensors on the meta device with sizes; gives meta tensors. Throws UsageError
/// for sizes that the operator would refuse.
using ShapeRule = std::vector<at::Tensor> (*)(const c10::Stack& arguments);

/// The rule for an operator by its full name with overload ("aten::convolution", "aten::where.self"), or
/// null.
ShapeRule find_shape_rule(std::string_view op_name);

/// The size of a dimension that only data decides (nonzero, reshape to a computed shape): another at each
/// call, so that inference, which compares two evaluations, sees a dynamic dimension.
int64_t unknown_size();

}  // namespace belfry::internal
