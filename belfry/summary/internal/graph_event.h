#pragma once

#include <string>

namespace belfry {
class Graph;
}

namespace belfry::internal {

/// A serialized GraphDef of all nodes of `graph`, to be looked at: operators keep their names
/// ("aten::add.Tensor"), and values of constants are left out. Throws UsageError for one of more than 2 GiB.
std::string graph_def_of(const Graph& graph);

}  // namespace belfry::internal
