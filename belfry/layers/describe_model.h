#pragma once

#include <string>

#include "belfry/graph/graph.h"

namespace belfry {

/// A table of the layers of a graph (kind, name, output shape, parameters), in the order of the calls, and of
/// its trainable variables that belong to none; then the number of trainable variables, of their elements,
/// and the megabytes they take. A layer that several towers call is listed once.
std::string describe_model(const Graph& graph);

}  // namespace belfry
