#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/callbacks/internal/sample_counter.h"
#include "belfry/dataflow/dataflow.h"
#include "belfry/graph/tower.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/trainer.h"

namespace belfry::internal {

/// What is evaluated, on what.
struct EvaluationConfig {
  /// A tower of that name scope, on a device.
  struct Tower {
    std::string name;
    c10::Device device;
  };

  std::string who;  ///< the callback, which begins messages
  /// The data: an input, or a dataflow of which `prefetch` batches are produced ahead, and which processes
  /// share.
  Shared<InputSource> input = {};
  std::optional<AnyDataFlow> dataflow = {};
  size_t prefetch = 0;
  Inferencers inferencers;
  std::vector<Shared<Callback>> hooks = {};  ///< see InferenceRunner::register_hook
  /// One batch at a time runs on each; those of one name share a tower.
  std::vector<Tower> towers;
  TowerFunc* tower_func = nullptr;  ///< null: the trainer's
  std::string batch_input;          ///< see SampleCounter
  CompileOptions compile;
};

/// Inference towers, passes over an input, the values of every batch to the inferencers in the order of the
/// data, and the inferencers' scalars to the monitors. In a distributed training each process runs its share
/// of the batches, and the inferencers of each see the values of all.
class Evaluation {
 public:
  /// Throws UsageError when the input is null.
  explicit Evaluation(EvaluationConfig config);

  /// Builds the towers. Throws what InferenceRunner::setup_graph does.
  void setup_graph(Trainer& trainer);
  /// Compiles them.
  void before_train(Trainer& trainer);
  /// One pass. Throws what InferenceRunner::trigger does.
  void run(Trainer& trainer);
  void after_train();
  /// Before setup_graph.
  void add_hook(Shared<Callback> hook);

 private:
  void make_input(const Trainer& trainer);
  bool exchange(std::vector<std::vector<at::Tensor>>& own, bool is_end, bool stop, int64_t& batches,
                bool& stopped);
  void build_tower(const EvaluationConfig::Tower& tower, TowerFunc& function);
  std::vector<Tensor> fetches_of(const TowerTensorHandle& tower) const;
  std::optional<Datapoint> next_batch(const std::stop_token& stop);
  void run_batches(const std::stop_token& stop, const std::function<void(std::vector<at::Tensor>)>& use);
  void give_to_inferencers(const std::vector<at::Tensor>& values);

  EvaluationConfig config_;
  std::optional<SampleCounter> samples_;
  /// For each tower: the inputs that are counted, then all the inferencers' tensors.
  std::vector<std::vector<Tensor>> fetches_;
  std::vector<CompiledCallable> callables_;
  int64_t taken_ = 0;  ///< batches of this pass
  /// In a distributed training: of every num_part_ batches of the input this process uses that number.
  int64_t part_ = 0, num_part_ = 1;
  bool is_distributed_ = false;
};

}  // namespace belfry::internal
