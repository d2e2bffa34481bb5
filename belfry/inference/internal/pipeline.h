#pragma once

#include <optional>
#include <string>

#include "belfry/graph/function.h"
#include "belfry/inference/internal/find_batch_split.h"
#include "belfry/runtime/compile_options.h"

namespace belfry::internal {

/// A function after all passes.
struct CompiledFunction {
  std::optional<Function>
      preparation;                  ///< from the weights before the passes to those of `rest`; none: as is
  Function rest;                    ///< what each call computes
  std::optional<BatchSplit> split;  ///< where its samples may be computed apart
  std::string report;               ///< the nodes before and after, and how many each pass left
};

/// Runs the passes that `options` turn on, in their order.
CompiledFunction run_pipeline(Function function, const CompileOptions& options);

}  // namespace belfry::internal
