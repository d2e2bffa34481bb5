#pragma once

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>

#include <vector>

namespace belfry::internal {

/// Requires, for an operator that is evaluated for its shapes only: each list has one member for each
/// variable, of its sizes. Throws UsageError otherwise.
void check_like_variables(at::TensorList variables, at::TensorList others, const char* what);

/// The gradients with the memory layout of their variables, as ATen's fused updates walk all of them as plain
/// arrays; copies those that have another.
std::vector<at::Tensor> in_layout_of(at::TensorList variables, at::TensorList gradients);

}  // namespace belfry::internal
