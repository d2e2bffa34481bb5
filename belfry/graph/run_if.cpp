#include "belfry/graph/run_if.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/clone.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"

// The condition becomes a node `belfry::run_if`, and stands among the control inputs of what it guards. So
// the graph needs nothing new: order, need and planning are those of control inputs, and what runs nodes asks
// conditions_of.

namespace belfry {
namespace {

constexpr char kRunIf[] = "belfry::run_if";

bool is_condition(const Node& node) {
  return node.kind() == NodeKind::kCall && node.op_name() == kRunIf;
}

Tensor add_condition(const Tensor& condition, const std::string& name) {
  if (!condition || condition.dtype() != kBool || condition.rank() != 0) {
    throw UsageError(fmt::format("[RunIf] expected a bool without dimensions, got {}",
                                 condition ? describe(condition) : "none"));
  }
  return default_graph().add(kRunIf, {condition}, {}, name).output();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("run_if(Tensor condition) -> Tensor");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("run_if", [](const at::Tensor& condition) { return condition.clone(); });
}

RunIf::RunIf(const Tensor& condition, const std::string& name)
    : after_condition_({add_condition(condition, name)}) {}

std::vector<Tensor> conditions_of(const Node& node) {
  std::vector<Tensor> conditions;
  if (node.kind() != NodeKind::kCall) return conditions;
  for (const Node* control : node.control_inputs()) {
    if (is_condition(*control)) conditions.push_back(control->output());
  }
  return conditions;
}

void check_conditions_of_inputs(const Node& node) {
  std::vector<Tensor> own = conditions_of(node);
  if (is_condition(node)) return;  // one that has no value is false
  for (const Tensor& input : node.inputs()) {
    if (!input.node().mutated_inputs().empty()) continue;  // a write always has a value
    for (const Tensor& condition : conditions_of(input.node())) {
      if (std::ranges::count(own, condition)) continue;
      throw UsageError(fmt::format(
          "[RunIf] expected '{}', which reads '{}', under the same condition '{}', got it outside",
          node.name(), input.name(), condition.op_name()));
    }
  }
}

void check_conditions_of_fetch(const Tensor& fetch) {
  if (!fetch.has_value() || !fetch.node().mutated_inputs().empty()) return;
  for (const Tensor& condition : conditions_of(fetch.node())) {
    throw UsageError(fmt::format(
        "[RunIf] expected fetches that always have a value, got '{}', which runs under the condition "
        "'{}'",
        fetch.name(), condition.op_name()));
  }
}

}  // namespace belfry
