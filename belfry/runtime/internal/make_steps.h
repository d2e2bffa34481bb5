#pragma once

#include <vector>

#include "belfry/runtime/internal/order.h"
#include "belfry/runtime/internal/plan_data.h"
#include "belfry/runtime/internal/recordings.h"

namespace belfry::internal {

/// Turns the nodes into steps, and says where each value is found. No value is moved yet (mark_last_uses).
/// Throws UsageError for a fed variable that a step writes, and for gradients by a variable that the loss
/// reads both before and after a write.
PlanData make_steps(const Order& order, const Recordings& recordings, const std::vector<Tensor>& feeds,
                    const std::vector<Tensor>& fetches, VariableStore& store);

}  // namespace belfry::internal
