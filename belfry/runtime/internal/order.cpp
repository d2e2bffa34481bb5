#include "belfry/runtime/internal/order.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"

namespace belfry::internal {

Fed fed_tensors(const std::vector<Tensor>& feeds) {
  Fed fed;
  for (const Tensor& feed : feeds) {
    if (!fed.insert(feed).second) throw UsageError(fmt::format("[Session] '{}' is fed twice", feed.name()));
  }
  return fed;
}

std::vector<const Node*> find_needed(const std::vector<Tensor>& fetches, const Fed& fed) {
  std::vector<const Node*> needed;
  std::unordered_set<const Node*> seen;
  const auto add_needed_by = [&](const Tensor& fetch) {
    if (fed.contains(fetch)) return;
    std::vector<const Node*> stack = {&fetch.node()};  // without recursion: graphs are deep
    while (!stack.empty()) {
      const Node* node = stack.back();
      stack.pop_back();
      if (!seen.insert(node).second) continue;
      needed.push_back(node);
      if (node->kind() == NodeKind::kPlaceholder && node->inputs().empty()) {
        throw UsageError(fmt::format(
            "[Session] the placeholder '{}' ({} {}) is needed by '{}' and was not fed", node->name(),
            to_string(node->outputs()[0].dtype), to_string(node->outputs()[0].shape), fetch.name()));
      }
      for (const Tensor& input : node->inputs()) {
        if (!fed.contains(input)) stack.push_back(&input.node());
      }
      // As in TensorFlow, a control dependency runs its node even where the node's outputs are fed.
      for (const Node* control : node->control_inputs()) {
        if (control->kind() != NodeKind::kPlaceholder) stack.push_back(control);
      }
    }
  };
  for (const Tensor& fetch : fetches) add_needed_by(fetch);
  return needed;
}

Order order_nodes(std::vector<const Node*> needed, const Fed& fed) {
  std::ranges::sort(needed, {}, [](const Node* node) { return node->id(); });
  std::unordered_map<const Node*, int> level;  // how many writes lie on the way to a node, at most
  const auto level_after = [&](const Node* node) {
    const auto found = level.find(node);
    return found == level.end() ? 0 : found->second + writes(*node);
  };
  for (const Node* node : needed) {
    int highest = 0;
    for (const Tensor& input : node->inputs()) {
      if (!fed.contains(input)) highest = std::max(highest, level_after(&input.node()));
    }
    for (const Node* control : node->control_inputs()) highest = std::max(highest, level_after(control));
    level[node] = highest;
  }
  std::ranges::stable_sort(needed, {},
                           [&](const Node* node) { return std::pair(level[node], writes(*node)); });
  Order order{.nodes = std::move(needed), .position = {}, .writers = {}};
  for (size_t i = 0; i < order.nodes.size(); ++i) {
    const Node* node = order.nodes[i];
    order.position[node] = i;
    for (int index : node->mutated_inputs()) order.writers[node->inputs()[index]].push_back(node);
  }
  return order;
}

}  // namespace belfry::internal
