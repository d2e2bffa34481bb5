#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/function.h"

namespace belfry::internal {

/// The version of the JSON that write_graph_json writes, and the only one that read_graph_json reads.
inline constexpr int64_t kGraphVersion = 1;

using NamedWeights = std::vector<std::pair<std::string, at::Tensor>>;

/// A frozen function as JSON, without its weights, which come back in `weights` under the names by which the
/// text refers to them. Throws UsageError for an argument that JSON has no form for.
std::string write_graph_json(const Function& function, NamedWeights& weights);

/// The opposite; weights are constants of the function's graph. `where` names the text in messages;
/// `further_operators` are taken beside those of graph_file_operators. Throws DataError as
/// read_inference_graph.
Function read_graph_json(const std::string& where, const std::string& json, const NamedWeights& weights,
                         const std::vector<std::string>& further_operators = {});

}  // namespace belfry::internal
