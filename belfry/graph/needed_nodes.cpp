#include "belfry/graph/needed_nodes.h"

#include <algorithm>
#include <unordered_set>

namespace belfry {

std::vector<const Node*> needed_nodes(const std::vector<Tensor>& fetches, const std::vector<Tensor>& stop) {
  const std::unordered_set<Tensor> stops(stop.begin(), stop.end());
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> nodes, stack;
  auto visit = [&](const Tensor& tensor) {
    if (!stops.contains(tensor) && seen.insert(&tensor.node()).second) stack.push_back(&tensor.node());
  };
  for (const Tensor& fetch : fetches) visit(fetch);
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    nodes.push_back(node);
    for (const Tensor& input : node->inputs()) visit(input);
  }
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id() < b->id(); });
  return nodes;
}

bool is_needed(const Node& node, const std::vector<Tensor>& fetches, const std::vector<Tensor>& feeds) {
  const std::unordered_set<Tensor> fed(feeds.begin(), feeds.end());
  std::unordered_set<const Node*> seen;
  std::vector<const Node*> stack;
  // Nodes are built after what they need, so nothing before `node` can lead to it.
  auto visit = [&](const Node& next) {
    if (next.id() >= node.id() && seen.insert(&next).second) stack.push_back(&next);
  };
  auto visit_tensor = [&](const Tensor& tensor) {
    if (!fed.contains(tensor)) visit(tensor.node());
  };
  for (const Tensor& fetch : fetches) visit_tensor(fetch);
  while (!stack.empty()) {
    const Node* next = stack.back();
    stack.pop_back();
    if (next == &node) return true;
    for (const Tensor& input : next->inputs()) visit_tensor(input);
    for (const Node* before : next->control_inputs()) visit(*before);
  }
  return false;
}

}  // namespace belfry
