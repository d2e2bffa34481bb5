#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "belfry/graph/tensor.h"
#include "belfry/graph/types.h"

namespace belfry {

// Nodes that are no calls of operators, added to the default graph under the current scopes.

/// A value to be fed, of that dtype and shape.
Tensor add_placeholder(const TensorSpec& spec);
/// As above; its value is that of `default_value` where none is fed.
Tensor add_placeholder(const TensorSpec& spec, const Tensor& default_value);
/// Shares the memory of `value`, which must not change any more.
Tensor add_constant(const at::Tensor& value, const std::string& name);

}  // namespace belfry
