#include "belfry/ops/call.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/gradient_override.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/trace.h"
#include "belfry/ops/custom_gradient.h"

namespace belfry {
namespace {

/// Adds the node, with the gradient that the current scopes give its operator, if they do.
std::vector<Tensor> add(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes,
                        const std::string& name) {
  const OperatorGradient gradient = overridden_gradient(std::string(op));
  if (!gradient) return default_graph().add(op, inputs, attributes, name).output_tensors();

  const std::string full_name = free_name(op, name);
  const Node* node = nullptr;
  {
    const NameScope inside(full_name + "/");
    node = &default_graph().add(op, inputs, attributes, "forward");
  }
  const std::vector<Tensor> outputs = node->output_tensors();
  if (!node->mutated_inputs().empty())
    throw UsageError(
        fmt::format("[{}] expected an operator that writes nothing for a gradient of its own, got {}",
                    full_name, node->op_name()));
  return custom_gradient(
      outputs, node->inputs(),
      [&](const std::vector<Tensor>& gradients) {
        return gradient({node->inputs(), outputs, gradients});
      },
      full_name + "/");
}

}  // namespace

Tensor call(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes,
            const std::string& name) {
  const std::vector<Tensor> outputs = add(op, inputs, attributes, name);
  if (outputs.size() != 1) {
    throw UsageError(fmt::format("[{}] expected an operator with one output, got {} with {}: use call_multi",
                                 outputs[0].op_name(), op, outputs.size()));
  }
  return outputs[0];
}

std::vector<Tensor> call_multi(std::string_view op, const std::vector<Tensor>& inputs,
                               const Attributes& attributes, const std::string& name) {
  return add(op, inputs, attributes, name);
}

}  // namespace belfry
