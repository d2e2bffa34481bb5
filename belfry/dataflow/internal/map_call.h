#pragma once

#include <string_view>

#include "belfry/dataflow/map_function.h"

namespace belfry::internal {

/// What a call of a map function is told besides its datapoint.
struct MapCall {
  std::string_view stage;  // for the message of an exception
  uint64_t seed = 0;
  int64_t pass = 0;
  int64_t index = 0;  // of the datapoint in the source's pass
};

/// Calls `function`. Its exceptions gain the name of the stage and the index.
std::optional<Datapoint> map_call(const MapFunction& function, Datapoint datapoint, const MapCall& call);

}  // namespace belfry::internal
