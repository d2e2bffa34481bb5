#include "belfry/step/internal/schedule.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "belfry/distributed/collectives.h"
#include "belfry/graph/node.h"

// A greedy list scheduling. Values that look at the memory of others (views) count as these. What all
// processes do together (collectives) they must begin in the same order, whatever the sizes of their batches:
// in that of their depth in the graph. What a reduction waits for is computed as soon as it can be, whatever
// memory it takes; the reduction is waited for when nothing else is left to do.

namespace belfry::internal {
namespace {

class Scheduler {
 public:
  explicit Scheduler(const Function& function) : nodes_(function.calls()) {
    for (const Tensor& input : function.inputs) available_.insert(&input.node());
    for (const Weight& weight : function.weights) available_.insert(&weight.tensor.node());
    for (const Node* node : nodes_) {
      for (const Tensor& input : node->inputs()) {
        if (available_.contains(&input.node())) continue;
        ++missing_[node];
        readers_[&input.node()].push_back(node);
      }
      for (const Tensor& root : roots_read_by(*node)) ++uses_[root];
      if (node->op_name() == "belfry::all_reduce_start") mark_urgent(node->inputs()[0].node());
    }
    order_collectives();
    for (const Tensor& output : function.outputs) ++uses_[root_of(output)];  // never let go of
  }

  std::vector<const Node*> run() {
    for (const Node* node : nodes_) {
      if (missing_[node] == 0) ready_.insert(node);
    }
    std::vector<const Node*> order;
    order.reserve(nodes_.size());
    while (!ready_.empty()) {
      const Node* next =
          *std::ranges::min_element(ready_, {}, [&](const Node* node) { return growth(*node); });
      ready_.erase(next);
      order.push_back(next);
      for (const Tensor& root : roots_read_by(*next)) --uses_[root];
      for (const Node* reader : readers_[next]) {
        if (--missing_[reader] == 0) ready_.insert(reader);
      }
    }
    return order;
  }

 private:
  struct ById {
    bool operator()(const Node* a, const Node* b) const { return a->id() < b->id(); }
  };

  static bool is_view(const Node& node) {
    const auto& returns = node.op().schema().returns();
    return node.kind() == NodeKind::kIdentity || (node.inputs().size() == 1 && !returns.empty() &&
                                                  std::ranges::all_of(returns, [](const c10::Argument& a) {
                                                    return a.alias_info() && !a.alias_info()->isWrite();
                                                  }));
  }

  /// Each waits for the one before.
  void order_collectives() {
    std::unordered_map<const Node*, int64_t> depths;
    std::vector<const Node*> collectives;
    for (const Node* node : nodes_) {
      int64_t& depth = depths[node];
      for (const Tensor& input : node->inputs()) depth = std::max(depth, depths[&input.node()] + 1);
      if (is_collective(*node)) collectives.push_back(node);
    }
    std::ranges::stable_sort(collectives, {}, [&](const Node* node) { return depths.at(node); });
    for (size_t i = 1; i < collectives.size(); ++i) {
      ++missing_[collectives[i]];
      readers_[collectives[i - 1]].push_back(collectives[i]);
    }
  }

  /// A gradient, below what packs it with others.
  void mark_urgent(const Node& node) {
    if (!urgent_.insert(&node).second) return;
    static const std::unordered_set<std::string_view> packs = {"aten::cat", "aten::_to_copy"};
    if (!is_view(node) && !packs.contains(node.op_name())) return;
    for (const Tensor& input : node.inputs()) mark_urgent(input.node());
  }

  static Tensor root_of(Tensor tensor) {
    while (is_view(tensor.node())) tensor = tensor.node().inputs()[0];
    return tensor;
  }

  /// Without repetition.
  static std::vector<Tensor> roots_read_by(const Node& node) {
    std::vector<Tensor> roots;
    for (const Tensor& input : node.inputs()) {
      const Tensor root = root_of(input);
      if (std::ranges::find(roots, root) == roots.end()) roots.push_back(root);
    }
    return roots;
  }

  static int64_t bytes(const Tensor& tensor) {
    int64_t count = static_cast<int64_t>(c10::elementSize(tensor.dtype()));
    for (int64_t size : tensor.shape()) count *= std::max<int64_t>(size, 1);
    return count;
  }

  /// How much more memory is in use after the node: its outputs less what nobody reads after it. A view of
  /// memory costs nothing, and is worth to be had at once.
  int64_t growth(const Node& node) const {
    if (is_view(node) || node.op_name() == "belfry::all_reduce_start" || urgent_.contains(&node))
      return std::numeric_limits<int64_t>::min();
    if (node.op_name() == "belfry::all_reduce_wait") return std::numeric_limits<int64_t>::max();
    int64_t growth = 0;
    for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i) {
      if (node.outputs()[static_cast<size_t>(i)].dtype != DType::Undefined) growth += bytes(node.output(i));
    }
    for (const Tensor& root : roots_read_by(node)) {
      if (!available_.contains(&root.node()) && uses_.at(root) == 1) growth -= bytes(root);
    }
    return growth;
  }

  std::vector<const Node*> nodes_;
  std::unordered_set<const Node*> available_;         ///< inputs and weights, whose memory is somebody else's
  std::unordered_map<const Node*, int64_t> missing_;  ///< inputs that are not computed yet
  std::unordered_map<const Node*, std::vector<const Node*>> readers_;
  std::unordered_map<Tensor, int64_t> uses_;  ///< of memory, that are still to come
  std::set<const Node*, ById> ready_;
  std::unordered_set<const Node*> urgent_;
};

}  // namespace

std::vector<const Node*> schedule(const Function& function) {
  return Scheduler(function).run();
}

}  // namespace belfry::internal
