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

}  // namespace belfry
