#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <string_view>
#include <vector>

#include "belfry/graph/attribute.h"
#include "belfry/graph/node.h"

namespace belfry::internal {

/// A call of an operator: the overload chosen and its arguments in the schema's order.
struct BoundCall {
  c10::OperatorHandle op;
  std::vector<Argument> arguments;
  std::vector<Tensor> inputs;
  int defaults = 0;  ///< how many arguments were not given
};

/// Finds the overload of `name` that takes these inputs and attributes (Graph::add says which of several),
/// and binds them. Throws UsageError that says what did not fit, with the schemas tried.
BoundCall bind_call(std::string_view name, const std::vector<Tensor>& inputs, const Attributes& attributes,
                    c10::Device device);

/// The schema's argument type with `?` taken off.
const c10::Type& without_optional(const c10::Type& type);
/// True for Tensor[] and Tensor?[].
bool is_tensor_list(const c10::Type& type);

}  // namespace belfry::internal
