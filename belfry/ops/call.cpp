#include "belfry/ops/call.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"

namespace belfry {

Tensor call(std::string_view op, const std::vector<Tensor>& inputs, const Attributes& attributes,
            const std::string& name) {
  const Node& node = default_graph().add(op, inputs, attributes, name);
  if (node.outputs().size() != 1) {
    throw UsageError(fmt::format("[{}] expected an operator with one output, got {} with {}: use call_multi",
                                 node.name(), op, node.outputs().size()));
  }
  return node.output();
}

std::vector<Tensor> call_multi(std::string_view op, const std::vector<Tensor>& inputs,
                               const Attributes& attributes, const std::string& name) {
  const Node& node = default_graph().add(op, inputs, attributes, name);
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < node.outputs().size(); ++i) outputs.push_back(node.output(static_cast<int>(i)));
  return outputs;
}

}  // namespace belfry
