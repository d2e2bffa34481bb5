#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/export/internal/frozen_graph.h"
#include "belfry/graph/graph.h"

namespace belfry::internal {

/// The version of the JSON that write_graph_json writes, and the only one that read_graph_json reads.
inline constexpr int64_t kGraphVersion = 1;

using NamedWeights = std::vector<std::pair<std::string, at::Tensor>>;

/// The graph without its weights, which are returned beside it under the names by which it refers to them.
/// Throws UsageError for an argument that JSON has no form for.
struct WrittenGraph {
  std::string json;
  NamedWeights weights;
};
WrittenGraph write_graph_json(const FrozenGraph& graph);

struct ReadGraph {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> input_names, output_names;
};
/// The opposite. `where` names the text in messages. Throws DataError as load_inference_graph.
ReadGraph read_graph_json(const std::string& where, const std::string& json, const NamedWeights& weights);

}  // namespace belfry::internal
