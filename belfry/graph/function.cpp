#include "belfry/graph/function.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/graph/custom_gradient.h"
#include "belfry/graph/needed_nodes.h"
#include "belfry/graph/rewriter.h"

namespace belfry {
namespace {

/// Puts what a custom gradient is of in the place of its outputs: who predicts needs no gradients.
Tensor pass_on_outputs(Rewriter& rewriter, const Function& source, const Node& node) {
  const auto values = values_of_custom_gradient(node);
  for (size_t i = 0; i < values.size(); ++i) {
    const Tensor output = node.output(static_cast<int>(i));
    if (!std::ranges::count(source.inputs, output)) rewriter.define(output, rewriter(values[i]));
  }
  return {};
}

/// As needed_nodes, without what is needed for custom gradients alone.
std::vector<const Node*> needed_for_values(const std::vector<Tensor>& outputs,
                                           const std::vector<Tensor>& inputs) {
  const std::unordered_set<Tensor> stops(inputs.begin(), inputs.end());
  std::unordered_set<const Node*> wanted;
  const auto want = [&](const std::vector<Tensor>& tensors) {
    for (const Tensor& tensor : tensors) {
      if (!stops.contains(tensor)) wanted.insert(&tensor.node());
    }
  };
  want(outputs);
  std::vector<const Node*> nodes = needed_nodes(outputs, inputs);
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (wanted.contains(*node))
      want(is_custom_gradient(**node) ? values_of_custom_gradient(**node) : (*node)->inputs());
  }
  std::erase_if(nodes, [&](const Node* node) { return !wanted.contains(node); });
  return nodes;
}

/// Why no function can hold `node`; null where one can.
const char* trouble_with(const Node& node) {
  if (node.kind() == NodeKind::kGradients || node.kind() == NodeKind::kGroup) return "is no function";
  if (node.kind() == NodeKind::kPlaceholder && node.inputs().empty()) return "is not among the inputs";
  if (!node.control_inputs().empty()) return "waits for control dependencies";
  if (!node.mutated_inputs().empty()) return "writes a variable";
  if (node.is_random() && !is_custom_gradient(node)) return "draws random numbers";
  return nullptr;
}

}  // namespace

std::vector<const Node*> Function::calls() const {
  std::vector<Tensor> given = inputs;
  for (const Weight& weight : weights) given.push_back(weight.tensor);
  return needed_nodes(outputs, given);
}

std::optional<Function> extract_function(const std::vector<Tensor>& inputs,
                                         const std::vector<Tensor>& outputs, std::string* trouble) {
  const auto no_function = [&](std::string reason) {
    if (trouble) *trouble = std::move(reason);
    return std::nullopt;
  };
  for (const Tensor& output : outputs) {
    if (!output.has_value())
      return no_function(fmt::format("{} has no value", describe_place(output.node())));
  }
  Function source{.inputs = inputs, .outputs = outputs};
  const auto nodes = needed_for_values(outputs, inputs);
  const std::unordered_set<const Node*> needed(nodes.begin(), nodes.end());
  for (const Node* node : nodes) {
    if (const char* reason = trouble_with(*node))
      return no_function(fmt::format("{} {}", describe_place(*node), reason));
    if (node->kind() == NodeKind::kVariable)
      source.weights.push_back({node->output(), node->name(), as_variable(node->output())});
  }
  for (const Tensor& input : inputs) source.input_names.push_back(public_name(input));
  for (const Tensor& output : outputs) source.output_names.push_back(public_name(output));
  Rewriter rewriter(source);
  return rewriter.run([&](const Node& node) {
    if (is_custom_gradient(node) && needed.contains(&node)) return pass_on_outputs(rewriter, source, node);
    const bool passes_on = node.kind() == NodeKind::kIdentity || node.kind() == NodeKind::kPlaceholder;
    return passes_on && needed.contains(&node) ? rewriter(node.inputs()[0]) : Tensor();
  });
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

std::string describe_place(const Node& node) {
  const size_t slash = node.name().rfind('/');
  return fmt::format("node '{}', operator {}, scope '{}'", node.name(), node.op_name(),
                     slash == std::string::npos ? "" : node.name().substr(0, slash));
}

}  // namespace belfry
