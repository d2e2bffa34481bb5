#pragma once

#include "belfry/runtime/internal/plan_data.h"

namespace belfry::internal {

/// Lets values be moved where they are used for the last time, and drops what nobody uses: slots of outputs,
/// and steps that only make another tensor of a value.
void mark_last_uses(PlanData& plan);

}  // namespace belfry::internal
