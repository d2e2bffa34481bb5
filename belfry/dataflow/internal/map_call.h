#pragma once

#include <string_view>

#include "belfry/dataflow/map_data.h"

namespace belfry::internal {

/// Calls `function` on datapoint `index` of a pass. Its exceptions gain the name of the stage and the index.
std::optional<Datapoint> map_call(const MapFunction& function, Datapoint datapoint, std::string_view stage,
                                  int64_t index);

}  // namespace belfry::internal
