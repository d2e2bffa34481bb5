#include "belfry/graph/function.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "belfry/graph/needed_nodes.h"
#include "belfry/graph/special_nodes.h"

namespace belfry {
namespace {

/// Why no function can hold `node`; null where one can.
const char* trouble_with(const Node& node) {
  if (node.kind() == NodeKind::kGradients || node.kind() == NodeKind::kGroup) return "is no function";
  if (node.kind() == NodeKind::kPlaceholder && node.inputs().empty()) return "is not among the inputs";
  if (!node.control_inputs().empty()) return "waits for control dependencies";
  if (!node.mutated_inputs().empty()) return "writes a variable";
  if (node.is_random()) return "draws random numbers";
  return nullptr;
}

TensorSpec like(const Tensor& tensor, std::string name) {
  return {.name = std::move(name), .shape = tensor.shape(), .dtype = tensor.dtype()};
}

/// Copies the nodes that outputs need; `map_` has the new tensor of each old one.
class Extraction {
 public:
  explicit Extraction(const std::vector<Tensor>& inputs) {
    function_.graph = std::make_shared<Graph>();
    GraphScope as_default(*function_.graph);
    for (const Tensor& input : inputs) {
      function_.inputs.push_back(add_placeholder(like(input, node_name(public_name(input)))));
      function_.input_names.push_back(public_name(input));
      map_[input] = function_.inputs.back();
    }
  }

  void add(const Node& node) {
    GraphScope as_default(*function_.graph);
    switch (node.kind()) {
      case NodeKind::kVariable: {
        const Tensor old = node.output();
        const Tensor tensor = add_placeholder(like(old, node.name()));
        function_.weights.push_back({tensor, node.name(), as_variable(old)});
        map_[old] = tensor;
        break;
      }
      case NodeKind::kPlaceholder:
      case NodeKind::kIdentity:
        map_.try_emplace(node.output(), map_.at(node.inputs()[0]));
        break;
      default: {
        std::vector<Tensor> inputs;
        for (const Tensor& input : node.inputs()) inputs.push_back(map_.at(input));
        const Node& copy = function_.graph->add_copy(node, std::move(inputs));
        for (int i = 0; i < static_cast<int>(node.outputs().size()); ++i)
          map_.try_emplace(node.output(i), copy.output(i));
      }
    }
  }

  Function finish(const std::vector<Tensor>& outputs) {
    for (const Tensor& output : outputs) {
      function_.outputs.push_back(map_.at(output));
      function_.output_names.push_back(public_name(output));
    }
    return std::move(function_);
  }

 private:
  Function function_;
  std::unordered_map<Tensor, Tensor> map_;
};

}  // namespace

std::vector<const Node*> Function::calls() const {
  std::vector<Tensor> given = inputs;
  for (const Weight& weight : weights) given.push_back(weight.tensor);
  return needed_nodes(outputs, given);
}

std::optional<Function> extract(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                                std::string* trouble) {
  const auto no_function = [&](std::string reason) {
    if (trouble) *trouble = std::move(reason);
    return std::nullopt;
  };
  for (const Tensor& output : outputs) {
    if (!output.has_value()) return no_function(fmt::format("{} has no value", locate(output.node())));
  }
  Extraction extraction(inputs);
  for (const Node* node : needed_nodes(outputs, inputs)) {
    if (const char* reason = trouble_with(*node))
      return no_function(fmt::format("{} {}", locate(*node), reason));
    extraction.add(*node);
  }
  return extraction.finish(outputs);
}

std::unordered_set<const Node*> independent_nodes(const Function& function) {
  std::unordered_set<const Node*> independent;
  for (const Weight& weight : function.weights) independent.insert(&weight.tensor.node());
  for (const Node* node : function.calls()) {
    if (std::ranges::all_of(node->inputs(),
                            [&](const Tensor& input) { return independent.contains(&input.node()); }))
      independent.insert(node);
  }
  return independent;
}

std::string public_name(const Tensor& tensor) {
  return tensor.index() == 0 ? tensor.op_name() : tensor.name();
}

std::string node_name(std::string public_name) {
  std::ranges::replace(public_name, ':', '.');
  return public_name;
}

std::string locate(const Node& node) {
  const size_t slash = node.name().rfind('/');
  return fmt::format("node '{}', operator {}, scope '{}'", node.name(), node.op_name(),
                     slash == std::string::npos ? "" : node.name().substr(0, slash));
}

}  // namespace belfry
