#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// A function that was built with nodes, and what it takes from around it.
struct TracedFunction {
  std::shared_ptr<const Function> function;  ///< inputs: those that were asked for, then `captured`
  std::vector<Tensor> captured;              ///< tensors of the graph it was built in, variables among them
  bool is_random = false;
};

/// Builds the outputs of a function from its inputs.
using BuildFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>& inputs)>;

/// Calls `build` with a placeholder for each of `inputs`, under the name scope `scope` as it is, and makes a
/// function of the nodes that it adds to the default graph. Those stay behind and nobody needs them;
/// variables that it creates are the graph's like any others. Control dependencies and overridden gradients
/// of the scopes around the call do not reach the nodes.
///
/// Throws UsageError, in the name of `who`, where an output is none or has no value, where a node takes
/// gradients, writes a variable or waits for control dependencies, and where update operations or summaries
/// are left in a collection, as they can run only with the function.
TracedFunction trace(const std::string& who, const std::string& scope, const std::vector<TensorSpec>& inputs,
                     const BuildFunction& build);

/// The name that a node of `op` gets when it is added as `name`, without taking it yet: its functions are
/// traced under that name, before the node is added as `free_name(op, name) + "/"`.
std::string free_name(std::string_view op, const std::string& name);

}  // namespace belfry
