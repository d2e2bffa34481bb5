#include "belfry/compile/internal/inference_graph.h"

#include <algorithm>

namespace belfry {

Tensor add_placeholder(Graph& graph, const std::string& name, DType dtype, const Shape& shape) {
  return graph
      .add_special(NodeKind::kPlaceholder, "belfry::placeholder", {}, {{"dtype", dtype}, {"shape", shape}},
                   name, {{dtype, shape}})
      .output();
}

namespace {

bool is_plain(const Node& node) {
  if (!node.device().is_cpu()) return false;
  switch (node.kind()) {
    case NodeKind::kPlaceholder:
    case NodeKind::kConstant:
    case NodeKind::kVariable:
    case NodeKind::kIdentity:
      return node.control_inputs().empty();
    case NodeKind::kCall:
      return node.control_inputs().empty() && node.mutated_inputs().empty() && !node.is_random();
    case NodeKind::kGroup:
    case NodeKind::kGradients:
      return false;
  }
  return false;
}

}  // namespace

std::unordered_set<const Node*> independent_nodes(const InferenceGraph& graph) {
  std::unordered_set<const Node*> independent;
  for (const Tensor& weight : graph.weights) independent.insert(&weight.node());
  for (const Node* node : needed_nodes(graph.fetches)) {
    if (node->kind() == NodeKind::kPlaceholder) continue;
    const auto& inputs = node->inputs();
    if (std::all_of(inputs.begin(), inputs.end(),
                    [&](const Tensor& input) { return independent.contains(&input.node()); }))
      independent.insert(node);
  }
  return independent;
}

Tensor input_named(const Node& node, std::string_view argument) {
  const auto index = node.op().schema().argumentIndexWithName(argument);
  if (!index) return {};
  const auto& inputs = node.arguments()[*index].inputs;
  return inputs.empty() || inputs[0] < 0 ? Tensor() : node.inputs()[inputs[0]];
}

Rewriter::Rewriter(const InferenceGraph& source)
    : Rewriter(source, [&] {
        std::vector<Shape> shapes;
        for (const Tensor& feed : source.feeds) shapes.push_back(feed.shape());
        return shapes;
      }()) {}

Rewriter::Rewriter(const InferenceGraph& source, const std::vector<Shape>& feed_shapes) : source_(source) {
  for (size_t i = 0; i < source.feeds.size(); ++i)
    add_placeholder(source.feeds[i], feed_shapes[i], result_.feeds);
  for (const Tensor& weight : source.weights) add_placeholder(weight, weight.shape(), result_.weights);
  needed_ = needed_nodes(source.fetches);
  for (const Node* node : needed_) {
    for (const Tensor& input : node->inputs()) ++uses_[input];
  }
  for (const Tensor& fetch : source.fetches) ++uses_[fetch];
}

void Rewriter::add_placeholder(const Tensor& old, const Shape& shape, std::vector<Tensor>& to) {
  to.push_back(belfry::add_placeholder(*result_.graph, old.op_name(), old.dtype(), shape));
  map_[old] = to.back();
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
    if (map_.contains(node.output(0))) continue;  // waited twice
    const Node& copied = copy(node);
    for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i) map_[node.output(i)] = copied.output(i);
  }
  return map_.at(old);
}

InferenceGraph Rewriter::run(const Rule& rule) {
  GraphScope as_default(*result_.graph);
  for (const Node* node : needed_) {
    if (node->kind() == NodeKind::kPlaceholder) continue;  // mapped before
    if (Tensor replacement = rule(*node)) map_[node->output()] = replacement;
  }
  for (const Tensor& fetch : source_.fetches) result_.fetches.push_back((*this)(fetch));
  return std::move(result_);
}

std::optional<Extracted> extract(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches) {
  Extracted extracted;
  Graph& graph = *extracted.graph.graph;
  GraphScope as_default(graph);
  std::unordered_map<Tensor, Tensor> map;
  for (const Tensor& feed : feeds) {
    map[feed] = add_placeholder(graph, feed.op_name(), feed.dtype(), feed.shape());
    extracted.graph.feeds.push_back(map[feed]);
  }
  for (const Node* node : needed_nodes(fetches, feeds)) {
    if (!is_plain(*node)) return std::nullopt;
    switch (node->kind()) {
      case NodeKind::kVariable:
        map[node->output()] =
            add_placeholder(graph, node->name(), node->outputs()[0].dtype, node->outputs()[0].shape);
        extracted.graph.weights.push_back(map[node->output()]);
        extracted.variables.push_back(as_variable(node->output()));
        break;
      case NodeKind::kPlaceholder:
        if (node->inputs().empty()) return std::nullopt;  // not fed: the ordinary plan says so
        [[fallthrough]];
      case NodeKind::kIdentity:
        if (!map.contains(node->output())) map[node->output()] = map.at(node->inputs()[0]);
        break;
      default: {
        std::vector<Tensor> inputs;
        for (const Tensor& input : node->inputs()) inputs.push_back(map.at(input));
        const Node& copy = graph.add_copy(*node, std::move(inputs));
        for (size_t i = 0; i < node->outputs().size(); ++i)
          map.try_emplace(node->output(static_cast<int>(i)), copy.output(static_cast<int>(i)));
      }
    }
  }
  for (const Tensor& fetch : fetches) {
    if (!fetch.has_value()) return std::nullopt;
    extracted.graph.fetches.push_back(map.at(fetch));
  }
  return extracted;
}

}  // namespace belfry
