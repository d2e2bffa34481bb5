#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/predict/offline_predictor.h"
#include "belfry/runtime/session.h"

namespace belfry::internal {

/// The graph in which towers of a config's model predict, a clean one or the default graph, and its session.
/// Build the towers, then start.
class OfflineGraph {
 public:
  struct Tower {
    std::vector<Tensor> inputs, outputs;
  };

  /// Throws UsageError, as `who`, when the config lacks a model or outputs, when there is no graph to join,
  /// or the session is not its.
  OfflineGraph(const PredictConfig& config, std::string_view who);
  ~OfflineGraph();
  OfflineGraph(const OfflineGraph&) = delete;
  OfflineGraph& operator=(const OfflineGraph&) = delete;

  const std::vector<TensorSpec>& signature() const { return tower_func_.signature(); }
  /// Builds a tower of that name, "" for none, on `device`. Its inputs are `tensors`, one for each of the
  /// signature, or what `make_tensors` makes of them in the tower. The second tower uses the variables of the
  /// first. In a graph that is joined the name is made unique, that of `who` for none. Call it under a
  /// GraphScope of `graph`.
  Tower add_tower(const std::string& name, c10::Device device, const std::vector<Tensor>& tensors) {
    return add_tower(name, device, [&] { return tensors; });
  }
  Tower add_tower(const std::string& name, c10::Device device,
                  const std::function<std::vector<Tensor>()>& make_tensors);
  /// Nothing is added any more; sets the variables as the config says.
  void start();

  /// Names of what a tower takes, and of what it gives: the config's.
  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;
  const PredictConfig& config() const { return config_; }

  Graph& graph() { return graph_; }
  Session& session() { return session_; }

 private:
  PredictConfig config_;
  std::string who_;
  TowerFunc tower_func_;
  std::unique_ptr<Graph> own_graph_;  ///< none where one is joined
  Graph& graph_;
  std::unique_ptr<Session> own_session_;
  Session& session_;
  bool ends_final_;  ///< the graph
};

/// A placeholder for each input, its name behind `prefix`.
std::vector<Tensor> build_placeholders(const std::vector<TensorSpec>& signature,
                                       const std::string& prefix = "");

}  // namespace belfry::internal
