#include "belfry/compile/internal/passes.h"

namespace belfry {

PreparedGraph fold_constants(const InferenceGraph& graph) {
  const auto independent = independent_nodes(graph);
  const auto nodes = needed_nodes(graph.fetches);

  // What crosses the border between the two parts.
  std::vector<Tensor> border;
  std::unordered_set<Tensor> seen;
  auto cross = [&](const Tensor& tensor) {
    if (independent.contains(&tensor.node()) && seen.insert(tensor).second) border.push_back(tensor);
  };
  for (const Node* node : nodes) {
    if (independent.contains(node)) continue;
    for (const Tensor& input : node->inputs()) cross(input);
  }
  for (const Tensor& fetch : graph.fetches) cross(fetch);

  PreparedGraph result;
  std::unordered_map<Tensor, Tensor> prepared, rest;
  auto add = [](InferenceGraph& to, const Tensor& old) {
    return add_placeholder(*to.graph, old.op_name(), old.dtype(), old.shape());
  };
  auto copy = [](InferenceGraph& to, const Node& node, std::unordered_map<Tensor, Tensor>& map) {
    std::vector<Tensor> inputs;
    for (const Tensor& input : node.inputs()) inputs.push_back(map.at(input));
    const Node& copied = to.graph->add_copy(node, std::move(inputs));
    for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i) map[node.output(i)] = copied.output(i);
  };
  {
    GraphScope scope(*result.preparation.graph);
    for (const Tensor& weight : graph.weights)
      result.preparation.feeds.push_back(prepared[weight] = add(result.preparation, weight));
    for (const Node* node : nodes) {
      if (independent.contains(node) && node->kind() != NodeKind::kPlaceholder)
        copy(result.preparation, *node, prepared);
    }
    for (const Tensor& tensor : border) result.preparation.fetches.push_back(prepared.at(tensor));
  }
  GraphScope scope(*result.rest.graph);
  for (const Tensor& feed : graph.feeds) result.rest.feeds.push_back(rest[feed] = add(result.rest, feed));
  for (const Tensor& tensor : border) result.rest.weights.push_back(rest[tensor] = add(result.rest, tensor));
  for (const Node* node : nodes) {
    if (!independent.contains(node) && node->kind() != NodeKind::kPlaceholder) copy(result.rest, *node, rest);
  }
  for (const Tensor& fetch : graph.fetches) result.rest.fetches.push_back(rest.at(fetch));
  return result;
}

}  // namespace belfry
