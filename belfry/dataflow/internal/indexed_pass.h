#pragma once

#include <functional>
#include <optional>

#include "belfry/base/rng.h"
#include "belfry/dataflow/dataflow.h"

namespace belfry::internal {

/// A pass over `size` datapoints that can be had in any order: in their own without `rng`, in a random one
/// with it. Skipping costs nothing. `at` owns what it needs.
DataIterator indexed_pass(int64_t size, std::optional<Rng> rng, std::function<Datapoint(int64_t)> at);

}  // namespace belfry::internal
