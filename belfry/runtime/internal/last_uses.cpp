#include "belfry/runtime/internal/last_uses.h"

#include <algorithm>
#include <variant>
#include <vector>

namespace belfry::internal {
namespace {

/// Goes through the plan from its end: the first use that it meets is the last.
class LastUses {
 public:
  explicit LastUses(int num_slots) : used_(static_cast<size_t>(num_slots), false) {}

  void mark(Source& source) {
    auto* value = std::get_if<SlotValue>(&source);
    if (!value) return;
    value->is_last_use = !used_[value->slot];
    used_[value->slot] = true;
  }
  void mark(std::vector<Source>& sources) {
    std::for_each(sources.rbegin(), sources.rend(), [&](Source& source) { mark(source); });
  }

  void mark(CallStep& step) {
    drop_unused(step.outputs);
    std::for_each(step.arguments.rbegin(), step.arguments.rend(), [&](CallStep::Argument& argument) {
      if (auto* source = std::get_if<Source>(&argument)) mark(*source);
      if (auto* list = std::get_if<CallStep::List>(&argument)) mark(list->elements);
    });
    mark(step.conditions);
  }
  void mark(GradientsStep& step) {
    drop_unused(step.outputs);
    mark(step.xs);
    mark(step.grad_loss);
    mark(step.loss);
  }
  void mark(DerivedTensor& step) {
    if (!used_[step.output]) {
      step.output = -1;
    } else {
      mark(step.source);
    }
  }

 private:
  void drop_unused(std::vector<int>& slots) const {
    for (int& slot : slots) {
      if (slot >= 0 && !used_[slot]) slot = -1;
    }
  }

  std::vector<bool> used_;
};

}  // namespace

void mark_last_uses(PlanData& plan) {
  LastUses last_uses(plan.num_slots);
  last_uses.mark(plan.fetch_sources);
  std::for_each(plan.steps.rbegin(), plan.steps.rend(),
                [&](Step& step) { std::visit([&](auto& any) { last_uses.mark(any); }, step); });
  std::erase_if(plan.steps, [](const Step& step) {
    const DerivedTensor* derived = as_derived(step);
    return derived && derived->output < 0;
  });
}

}  // namespace belfry::internal
