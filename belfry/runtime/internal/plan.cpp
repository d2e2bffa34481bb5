#include "belfry/runtime/internal/plan.h"

#include <fmt/format.h>

#include <variant>

#include "belfry/base/error.h"
#include "belfry/runtime/internal/last_uses.h"
#include "belfry/runtime/internal/make_steps.h"
#include "belfry/runtime/internal/order.h"
#include "belfry/runtime/internal/recordings.h"

namespace belfry::internal {
namespace {

std::string describe_step(const char* what, const Node& node, bool is_recorded) {
  return fmt::format("{}{}{} = {}\n", what, node.name(), is_recorded ? " (recorded)" : "",
                     belfry::describe(node));
}

struct DescribeStep {
  std::string operator()(const CallStep& step) const {
    return describe_step("", *step.node, step.is_recorded);
  }
  std::string operator()(const LeafStep& step) const { return describe_step("leaf ", *step.node, false); }
  std::string operator()(const AliasStep& step) const { return describe_step("alias ", *step.node, true); }
  std::string operator()(const CopyStep& step) const { return describe_step("copy ", *step.node, false); }
  std::string operator()(const GradientsStep& step) const {
    return describe_step("", *step.node, step.is_differentiable);
  }
};

}  // namespace

std::string describe(const PlanData& plan) {
  std::string text;
  for (const Step& step : plan.steps) text += std::visit(DescribeStep(), step);
  return text;
}

PlanData make_plan(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches,
                   VariableStore& store) {
  const Fed fed = fed_tensors(feeds);
  const Order order = order_nodes(find_needed(fetches, fed), fed);
  const Recordings recordings = find_recordings(order, fed);
  PlanData plan = make_steps(order, recordings, feeds, fetches, store);
  mark_last_uses(plan);
  return plan;
}

void Plan::check_graph() const {
  if (graph_lifetime_.expired()) {
    throw UsageError(
        "[Session] expected the graph to live as long as what runs it, got one that is destroyed: keep the "
        "trainer, or the model, that made this predictor");
  }
}

std::string Plan::describe() const {
  check_graph();
  return internal::describe(plan_);
}

}  // namespace belfry::internal
