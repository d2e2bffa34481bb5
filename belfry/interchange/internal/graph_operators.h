#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace belfry::internal {

/// The operators, with their overloads, that a graph file may hold without its reader's asking for them: what
/// the typed functions of belfry/ops, the layers and import_onnx make nodes of. Each computes tensors from
/// tensors, and takes any arguments and values without harm: a wrong one is an error.
const std::vector<std::string_view>& graph_file_operators();

/// True for one of those.
bool is_graph_file_operator(std::string_view op);

}  // namespace belfry::internal
