#pragma once

#include <ATen/core/Tensor.h>

#include <string>

namespace belfry::internal {

/// Dtype and shape as messages show them: "Float [3, 4]".
std::string describe(at::ScalarType dtype, at::IntArrayRef sizes);
/// The same of a tensor; "text", "a list of 3 components", the class of another object; "undefined" of what
/// is none of these.
std::string describe(const at::Tensor& tensor);

}  // namespace belfry::internal
