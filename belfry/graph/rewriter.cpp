#include "belfry/graph/rewriter.h"

#include <unordered_set>

#include "belfry/graph/arguments_of.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/special_nodes.h"

namespace belfry {
namespace {

std::vector<Shape> shapes_of(const std::vector<Tensor>& tensors) {
  std::vector<Shape> shapes;
  for (const Tensor& tensor : tensors) shapes.push_back(tensor.shape());
  return shapes;
}

Tensor add_placeholder_like(const Tensor& old, const Shape& shape) {
  return add_placeholder({.name = node_name(public_name(old)), .shape = shape, .dtype = old.dtype()});
}

}  // namespace

Rewriter::Rewriter(const Function& source) : Rewriter(source, shapes_of(source.inputs)) {}

Rewriter::Rewriter(const Function& source, const std::vector<Shape>& input_shapes)
    : source_(source), needed_(source.calls()) {
  result_.graph = std::make_shared<Graph>();
  result_.input_names = source.input_names;
  result_.output_names = source.output_names;
  GraphScope as_default(*result_.graph);
  for (size_t i = 0; i < source.inputs.size(); ++i) {
    result_.inputs.push_back(add_placeholder_like(source.inputs[i], input_shapes[i]));
    map_[source.inputs[i]] = result_.inputs.back();
  }
  for (const Weight& weight : source.weights) {
    result_.weights.push_back(weight);
    result_.weights.back().tensor = add_placeholder_like(weight.tensor, weight.tensor.shape());
    map_[weight.tensor] = result_.weights.back().tensor;
  }
  for (const Node* node : needed_) {
    for (const Tensor& input : node->inputs()) ++uses_[input];
    if (node->kind() == NodeKind::kGradients)
      differentiated_.insert(&ArgumentsOf(*node).tensor("loss").node());
  }
  for (const Tensor& output : source.outputs) ++uses_[output];
}

int64_t Rewriter::uses(const Tensor& old) const {
  auto found = uses_.find(old);
  return found == uses_.end() ? 0 : found->second;
}

const Node& Rewriter::copy(const Node& node) {
  std::vector<Tensor> inputs;
  for (const Tensor& input : node.inputs()) inputs.push_back((*this)(input));
  return copy(node, std::move(inputs));
}

Tensor Rewriter::operator()(const Tensor& old) {
  if (!old.defined()) return {};
  // Graphs are deep: what is still to be copied waits on a stack of our own.
  std::vector<const Node*> waiting;
  if (!map_.contains(old)) waiting.push_back(&old.node());
  while (!waiting.empty()) {
    const Node& node = *waiting.back();
    const size_t count = waiting.size();
    for (const Tensor& input : node.inputs()) {
      if (!map_.contains(input)) waiting.push_back(&input.node());
    }
    if (waiting.size() > count) continue;
    waiting.pop_back();
    if (!copied_.insert(&node).second) continue;  // waited twice
    const Node& copied = copy(node);
    // An output that is an input of the function keeps its placeholder.
    for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i)
      map_.try_emplace(node.output(i), copied.output(i));
  }
  return map_.at(old);
}

Function Rewriter::run(const Rule& rule) {
  GraphScope as_default(*result_.graph);
  for (const Node* node : needed_) {
    if (differentiated_.contains(node)) continue;
    if (Tensor replacement = rule(*node)) map_[node->output()] = replacement;
  }
  for (const Tensor& output : source_.outputs) result_.outputs.push_back((*this)(output));
  return std::move(result_);
}

SplitFunction split_off_constants(const Function& function, const std::function<bool(const Tensor&)>& stays) {
  const auto independent = independent_nodes(function);
  std::vector<Tensor> border;  // what the rest needs of the preparation
  std::unordered_set<Tensor> seen;
  const auto cross = [&](const Tensor& tensor) {
    const bool leaves = independent.contains(&tensor.node()) && !stays(tensor);
    if (leaves && seen.insert(tensor).second) border.push_back(tensor);
  };
  for (const Node* node : function.calls()) {
    if (independent.contains(node)) continue;
    for (const Tensor& input : node->inputs()) cross(input);
  }
  for (const Tensor& output : function.outputs) cross(output);

  Function preparation{.graph = function.graph, .outputs = border};
  Function rest = function;
  rest.weights.clear();
  std::unordered_map<Tensor, const Weight*> as_it_was;
  for (const Weight& weight : function.weights) {
    preparation.inputs.push_back(weight.tensor);
    preparation.input_names.push_back(weight.name);
    as_it_was[weight.tensor] = &weight;
  }
  for (const Tensor& tensor : border) {
    const auto weight = as_it_was.find(tensor);
    rest.weights.push_back(weight == as_it_was.end() ? Weight{tensor, public_name(tensor)} : *weight->second);
    preparation.output_names.push_back(rest.weights.back().name);
  }
  return {Rewriter(preparation).run(), Rewriter(rest).run()};
}

}  // namespace belfry
