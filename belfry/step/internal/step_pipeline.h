#pragma once

#include <string>

#include "belfry/graph/function.h"
#include "belfry/step/step_options.h"

namespace belfry::internal {

/// Runs the passes that `options` turn on, in their order. Appends to `report` the nodes before and after,
/// and how many each pass left.
Function run_step_pipeline(Function function, const StepOptions& options, std::string& report);

}  // namespace belfry::internal
