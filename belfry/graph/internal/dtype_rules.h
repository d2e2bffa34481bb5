#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <vector>

#include "belfry/graph/node.h"

namespace belfry::internal {

/// Throws UsageError for inputs whose dtypes the operator's real kernel refuses, where its kernel for tensors
/// without data, or its shape rule, does not look at them: matmul of float64 and float32, softmax of int64.
void check_dtypes(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                  const std::vector<Tensor>& inputs);

}  // namespace belfry::internal
