#include "belfry/export/internal/frozen_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/graph/needed_nodes.h"

namespace belfry::internal {
namespace {

void check_inference(const std::string& who, const Node& node) {
  const char* trouble = nullptr;
  if (node.kind() == NodeKind::kGradients || node.kind() == NodeKind::kGroup) trouble = "is no function";
  if (node.kind() == NodeKind::kPlaceholder && node.inputs().empty()) trouble = "is not among the inputs";
  if (!node.control_inputs().empty()) trouble = "waits for control dependencies";
  if (!node.mutated_inputs().empty()) trouble = "writes a variable";
  if (node.is_random()) trouble = "draws random numbers";
  if (trouble)
    throw UsageError(
        fmt::format("[{}] expected an inference graph, got one whose {} {}", who, locate(node), trouble));
}

std::vector<Tensor> resolve(const std::vector<Fetch>& fetches, const Graph& graph) {
  std::vector<Tensor> tensors;
  for (const Fetch& fetch : fetches) tensors.push_back(fetch.resolve(graph));
  return tensors;
}

}  // namespace

std::string locate(const Node& node) {
  const size_t slash = node.name().rfind('/');
  return fmt::format("node '{}', operator {}, scope '{}'", node.name(), node.op_name(),
                     slash == std::string::npos ? "" : node.name().substr(0, slash));
}

std::string public_name(const Tensor& tensor) {
  return tensor.index() == 0 ? tensor.op_name() : tensor.name();
}

Tensor FrozenGraph::source(const Tensor& tensor) const {
  Tensor at = tensor;
  while (std::find(inputs.begin(), inputs.end(), at) == inputs.end()) {
    const NodeKind kind = at.node().kind();
    if (kind != NodeKind::kIdentity && kind != NodeKind::kPlaceholder) break;
    at = at.node().inputs().at(0);
  }
  return at;
}

FrozenGraph freeze(const std::string& who, Session& session, const std::vector<Fetch>& inputs,
                   const std::vector<Fetch>& outputs) {
  FrozenGraph frozen;
  frozen.inputs = resolve(inputs, session.graph());
  frozen.outputs = resolve(outputs, session.graph());
  if (outputs.empty()) throw UsageError(fmt::format("[{}] expected at least one output, got none", who));
  std::unordered_set<Tensor> dependent;
  for (const Tensor& input : frozen.inputs) {
    if (!dependent.insert(input).second)
      throw UsageError(fmt::format("[{}] expected different inputs, got '{}' twice", who, input.name()));
  }
  std::vector<Tensor> wanted;
  std::unordered_set<Tensor> seen;
  auto want = [&](const Tensor& tensor) {
    const Tensor source = frozen.source(tensor);
    if (!dependent.contains(source) && seen.insert(source).second) wanted.push_back(source);
  };
  for (const Node* node : needed_nodes(frozen.outputs, frozen.inputs)) {
    check_inference(who, *node);
    const auto& from = node->inputs();
    if (std::none_of(from.begin(), from.end(), [&](const Tensor& t) { return dependent.contains(t); }))
      continue;
    for (size_t i = 0; i < node->outputs().size(); ++i) dependent.insert(node->output(static_cast<int>(i)));
    if (node->kind() != NodeKind::kCall) continue;
    frozen.nodes.push_back(node);
    for (const Tensor& input : from) want(input);
  }
  for (const Tensor& output : frozen.outputs) {
    if (!output.has_value())
      throw UsageError(fmt::format("[{}] expected outputs with a value, got '{}'", who, output.op_name()));
    want(output);
  }
  const auto values = session.run({wanted.begin(), wanted.end()});
  for (size_t i = 0; i < wanted.size(); ++i)
    frozen.values.emplace_back(wanted[i], values[i].cpu().contiguous());
  return frozen;
}

}  // namespace belfry::internal
