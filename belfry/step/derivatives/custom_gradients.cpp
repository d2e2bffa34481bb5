#include <algorithm>

#include "belfry/graph/custom_gradient.h"
#include "belfry/graph/function_value.h"
#include "belfry/graph/graph.h"
#include "belfry/ops/array.h"
#include "belfry/step/internal/derivative_rules.h"

// A gradient of the user's own is a function of nodes: its derivative is these nodes.

namespace belfry::internal {
namespace {

/// Whether several nodes draw from the one generator: a program may change their order.
bool draws_in_order(const Function& function) {
  const auto calls = function.calls();
  return std::ranges::count_if(calls, &Node::is_random) > 1;
}

bool custom_gradient(Backprop& b) {
  const Function& backward = held_function(b.node(), "backward").function();
  if (draws_in_order(backward)) return false;
  const ArgumentsOf arguments(b.node());
  std::vector<Tensor> given;
  for (const Tensor& output : b.node().output_tensors()) {
    const Tensor gradient = b.gradient(output.index());
    given.push_back(gradient.defined() ? gradient : zeros_like(output));
  }
  const size_t outputs = given.size();
  for (const Tensor& tensor : arguments.tensors("captured")) given.push_back(tensor);

  Graph& graph = default_graph();
  const size_t before = graph.nodes().size();
  const auto by_inputs = inline_function(backward, given);
  for (size_t i = before; i < graph.nodes().size(); ++i) {
    if (graph.nodes()[i]->is_random())
      graph.extension<RandomOrigins>()[graph.nodes()[i]->name()] = b.node().name();
  }
  for (size_t i = 0; i < by_inputs.size(); ++i) b.give(outputs + i, by_inputs[i]);
  return true;
}

}  // namespace

void add_custom_gradient_derivatives(DerivativeRules& rules) {
  rules["belfry::custom_gradient"] = custom_gradient;
  rules["belfry::custom_gradient.generator"] = custom_gradient;
}

}  // namespace belfry::internal
