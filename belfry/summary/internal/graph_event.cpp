#include "belfry/summary/internal/graph_event.h"

#include <fmt/format.h>

#include "belfry/formats/graph_def.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"

namespace belfry::internal {
namespace {

std::string reference(const Tensor& tensor) {
  return tensor.index() == 0 ? tensor.op_name() : fmt::format("{}:{}", tensor.op_name(), tensor.index());
}

/// "float32 [?, 10]" of each output, which TensorBoard shows beside the node.
std::string describe_outputs(const Node& node) {
  std::string text;
  for (const NodeOutput& output : node.outputs()) {
    if (output.dtype == DType::Undefined) continue;
    text +=
        fmt::format("{}{} {}", text.empty() ? "" : ", ", to_string(output.dtype), to_string(output.shape));
  }
  return text;
}

}  // namespace

std::string graph_def_of(const Graph& graph) {
  GraphDef nodes;
  for (const auto& node : graph.nodes()) {
    GraphDefNode& written = nodes.emplace_back();
    written.name = node->name();
    written.op = node->op_name();
    for (const Tensor& input : node->inputs()) written.inputs.push_back(reference(input));
    for (const Node* control : node->control_inputs()) written.inputs.push_back("^" + control->name());
    if (const std::string outputs = describe_outputs(*node); !outputs.empty())
      written.attributes["outputs"] = outputs;
    if (!node->device().is_cpu()) written.attributes["device"] = node->device().str();
  }
  return serialize_graph_def(nodes);
}

}  // namespace belfry::internal
