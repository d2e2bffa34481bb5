#pragma once

#include <algorithm>
#include <vector>

#include "belfry/dataflow/dataflow.h"

namespace belfry::internal {

/// DataFlow::can_resume of a dataflow that is made of several.
inline bool can_all_resume(const std::vector<AnyDataFlow>& sources) {
  return std::ranges::all_of(sources, [](const AnyDataFlow& source) { return source->can_resume(); });
}

}  // namespace belfry::internal
