#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/predict/offline_predictor.h"
#include "belfry/runtime/session.h"

namespace belfry::internal {

/// A clean graph in which towers of a config's model predict, and its session. Build the towers, then start.
class OfflineGraph {
 public:
  struct Tower {
    std::vector<Tensor> inputs, outputs;
  };

  /// Throws UsageError, as `who`, when the config lacks a model or outputs.
  OfflineGraph(const PredictConfig& config, std::string_view who);

  const std::vector<TensorSpec>& signature() const { return tower_func_.signature(); }
  /// Builds a tower of that name, "" for none, on `device`. Its inputs are `tensors`, one for each of the
  /// signature, or what `make_tensors` makes of them in the tower. The second tower uses the variables of the
  /// first. Call it under a GraphScope of `graph`.
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

  Graph graph;
  Session session{graph};

 private:
  PredictConfig config_;
  std::string who_;
  TowerFunc tower_func_;
};

/// A placeholder for each input, its name behind `prefix`.
std::vector<Tensor> build_placeholders(const std::vector<TensorSpec>& signature,
                                       const std::string& prefix = "");

}  // namespace belfry::internal
