#include "belfry/step/internal/step_function.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "belfry/graph/arguments_of.h"
#include "belfry/graph/run_if.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/special_nodes.h"
#include "belfry/graph/variable.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/known_sizes.h"
#include "belfry/ops/call.h"
#include "belfry/runtime/internal/order.h"
#include "belfry/runtime/internal/recordings.h"
#include "belfry/step/internal/derivative_rules.h"
#include "belfry/step/internal/differentiate.h"

// The plan's order of nodes (order.h) is cut at the writes: what takes no value from one of them is the head.
// What only has to come after a write, a cost after the update of a cell's state for instance, is in it too,
// where it reads nothing that the write changes: the value is the same before. Invariant: nothing in the head
// sees a variable after a write of this run, so it may be reordered and rewritten like any function. It is
// copied into a graph of its own, with the sizes that the feeds have, and each gradients node becomes the
// nodes that differentiate() adds at its place.

namespace belfry::internal {
namespace {

using Variables = std::unordered_set<Tensor>;

/// Whether the node's outputs may lie in the memory of its inputs.
bool may_share(const Node& node) {
  if (node.kind() == NodeKind::kIdentity) return true;
  if (node.kind() != NodeKind::kCall) return false;
  return is_unannounced_view(node) ||
         std::ranges::any_of(node.op().schema().returns(),
                             [](const c10::Argument& value) { return value.alias_info() != nullptr; });
}

/// Whether the memory of `tensor` may be that of one of these.
bool shares_with(Tensor tensor, const Variables& variables) {
  std::vector<Tensor> waiting = {std::move(tensor)};
  while (!waiting.empty()) {
    const Tensor next = waiting.back();
    waiting.pop_back();
    if (variables.contains(next)) return true;
    if (may_share(next.node()))
      waiting.insert(waiting.end(), next.node().inputs().begin(), next.node().inputs().end());
  }
  return false;
}

class Splitter {
 public:
  Splitter(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches)
      : feeds_(feeds),
        fetches_(fetches),
        fed_(fed_tensors(feeds)),
        order_(order_nodes(find_needed(fetches, fed_), fed_)),
        recordings_(find_recordings(order_, fed_)) {}

  /// Why the run has no two parts; "" where it has.
  std::string find_tail() {
    Variables written;  // so far
    for (const Node* node : order_.nodes) {
      const bool depends = std::ranges::any_of(node->inputs(), [&](const Tensor& input) {
        return !fed_.contains(input) && (tail_.contains(&input.node()) || shares_with(input, written));
      });
      for (const int index : node->mutated_inputs())
        written.insert(node->inputs()[static_cast<size_t>(index)]);
      if (!writes(*node) && !depends && conditions_of(*node).empty()) {
        if (node->kind() == NodeKind::kCall && !node->output().has_value()) result_.checks.push_back(node);
        continue;
      }
      if (node->kind() == NodeKind::kGradients) return describe_place(*node) + " comes after a write";
      tail_.insert(node);
      result_.tail.push_back(node);
    }
    return "";
  }

  StepFunction build(const std::vector<Shape>& feed_shapes) {
    Function& head = result_.head;
    head.graph = std::make_shared<Graph>();
    GraphScope as_default(*head.graph);
    for (size_t i = 0; i < feeds_.size(); ++i) {
      head.inputs.push_back(add_input(feeds_[i], feed_shapes[i]));
      head.input_names.push_back(public_name(feeds_[i]));
    }
    for (const Node* node : order_.nodes) {
      if (!tail_.contains(node) && !std::ranges::count(result_.checks, node)) add(*node);
    }
    add_outputs();
    return std::move(result_);
  }

 private:
  Tensor add_input(const Tensor& like, const Shape& shape) {
    map_[like] =
        add_placeholder({.name = node_name(public_name(like)), .shape = shape, .dtype = like.dtype()});
    return map_.at(like);
  }

  void add(const Node& node) {
    switch (node.kind()) {
      case NodeKind::kVariable:
        if (fed_.contains(node.output())) return;
        result_.head.weights.push_back(
            {add_input(node.output(), node.output().shape()), node.name(), as_variable(node.output())});
        return;
      case NodeKind::kPlaceholder:
      case NodeKind::kIdentity:
        if (!fed_.contains(node.output())) define(node.output(), alias(node));
        return;
      case NodeKind::kGroup:
        return;
      case NodeKind::kGradients:
        return add_gradients(node);
      case NodeKind::kConstant:
      case NodeKind::kCall:
        return add_call(node);
    }
  }

  /// What is differentiated by stays a tensor of its own: its gradient is not that of what it names.
  Tensor alias(const Node& node) {
    const Tensor input = map_.at(node.inputs()[0]);
    return recordings_.differentiated.contains(node.output()) ? call("aten::alias", {input}, {}, node.name())
                                                              : input;
  }

  /// A tensor that is fed keeps its placeholder.
  void define(const Tensor& old, const Tensor& tensor) { map_.try_emplace(old, tensor); }

  void add_call(const Node& node) {
    std::vector<Tensor> inputs, outputs;
    for (const Tensor& input : node.inputs()) inputs.push_back(map_.at(input));
    if (recordings_.nodes.contains(&node)) outputs = build_for_derivative(node, inputs);
    if (outputs.empty()) outputs = with_known_sizes(node, inputs);
    if (outputs.empty()) {
      const Node& copy = result_.head.graph->add_copy(node, std::move(inputs));
      for (int i = 0; i < static_cast<int>(copy.outputs().size()); ++i) outputs.push_back(copy.output(i));
    }
    for (size_t i = 0; i < outputs.size(); ++i) define(node.output(static_cast<int>(i)), outputs[i]);
    if (node.is_random()) result_.random[outputs[0].node().name()] = &node;
  }

  void add_gradients(const Node& node) {
    const ArgumentsOf arguments(node);
    std::vector<Tensor> xs;
    for (const Tensor& x : arguments.tensors("xs")) xs.push_back(map_.at(x));
    const Tensor grad_loss = arguments.tensor("grad_loss");
    const NameScope scope(node.name());
    const auto results = differentiate(map_.at(arguments.tensor("loss")), xs,
                                       grad_loss.defined() ? map_.at(grad_loss) : Tensor());
    for (size_t i = 0; i < results.size(); ++i) define(node.output(static_cast<int>(i)), results[i]);
    for (const auto& [name, origin] : result_.head.graph->extension<RandomOrigins>())
      result_.random.try_emplace(name, result_.random.at(origin));
  }

  /// What the rest and the caller want of the head, and what runs only because something waits for it: it may
  /// print.
  void add_outputs() {
    for (const auto* nodes : {&result_.checks, &result_.tail}) {
      for (const Node* node : *nodes) {
        for (const Tensor& input : node->inputs()) add_output(input);
      }
    }
    for (const Tensor& fetch : fetches_) add_output(fetch);
    for (const Node* node : order_.nodes) {
      for (const Node* other : node->control_inputs()) add_output(other->output());
      if (node->kind() != NodeKind::kGroup) continue;
      for (const Tensor& input : node->inputs()) add_output(input);
    }
  }

  void add_output(const Tensor& tensor) {
    const auto found = map_.find(tensor);
    if (found == map_.end() || !tensor.has_value() || result_.from_head.contains(tensor)) return;
    result_.from_head[tensor] = result_.head.outputs.size();
    result_.head.outputs.push_back(found->second);
    result_.head.output_names.push_back(public_name(tensor));
  }

  const std::vector<Tensor>& feeds_;
  const std::vector<Tensor>& fetches_;
  Fed fed_;
  Order order_;
  Recordings recordings_;
  std::unordered_set<const Node*> tail_;
  std::unordered_map<Tensor, Tensor> map_;
  StepFunction result_;
};

}  // namespace

std::optional<StepFunction> make_step_function(const std::vector<Tensor>& feeds,
                                               const std::vector<Tensor>& fetches,
                                               const std::vector<Shape>& feed_shapes, std::string* trouble) {
  Splitter splitter(feeds, fetches);
  if (std::string reason = splitter.find_tail(); !reason.empty()) {
    *trouble = std::move(reason);
    return std::nullopt;
  }
  return splitter.build(feed_shapes);
}

}  // namespace belfry::internal
