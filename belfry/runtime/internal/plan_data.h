#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "belfry/runtime/internal/step.h"

namespace belfry::internal {

/// What a run does: the result of planning, as plain values.
struct PlanData {
  std::vector<Tensor> feeds, fetches;
  std::vector<int> feed_slots;  ///< where each feed's value goes
  std::vector<Step> steps;
  std::vector<Source> fetch_sources;            ///< where each fetch's value is in the end
  std::vector<VariableStore::Cell*> variables;  ///< every variable that is read or written
  std::vector<at::Tensor> constants;            ///< of the graph, that are read
  int num_slots = 0;
  bool has_gradients = false;
};

/// One line for each step.
std::string describe(const PlanData& plan);

}  // namespace belfry::internal
