#pragma once

#include <functional>
#include <memory>

#include "belfry/optim/optimizer.h"
#include "belfry/train/tower_trainer.h"

namespace belfry {

/// Base of the trainers that minimise one cost with one optimizer. Call setup_graph, then train.
class SingleCostTrainer : public TowerTrainer {
 public:
  using TowerTrainer::TowerTrainer;

  using OptimizerFunc = std::function<std::unique_ptr<Optimizer>()>;

  /// Builds the training part of the graph: calls `get_cost`, which returns a scalar, in one or more training
  /// towers with inputs from `input`, and applies the gradients with the optimizer, of which there is one.
  /// All of it is built on device(). Throws UsageError when the cost is missing or no scalar, or
  /// when called twice.
  void setup_graph(TowerFunc get_cost, Shared<InputSource> input, const OptimizerFunc& get_optimizer);

  /// The input that is taken for a config's dataflow: QueueInput.
  virtual Shared<InputSource> make_input(AnyDataFlow dataflow) const;

 protected:
  /// Where the graph is built: the current device.
  virtual c10::Device device() const;
  /// How the towers are placed and their gradients combined. Calls `get_optimizer` once, after the cost is
  /// built. Returns the operation that does one step. Called with the trainer's graph as the default graph.
  virtual Tensor build_train_op(const OptimizerFunc& get_optimizer) = 0;
  /// The cost of a new training tower without a name. Throws UsageError unless it is a scalar.
  Tensor build_cost();
  /// Throws UsageError before setup_graph.
  void run_step() override;
};

/// One tower, in this process. `SimpleTrainer({.compile = false})` runs steps operator by operator.
class SimpleTrainer : public SingleCostTrainer {
 public:
  using SingleCostTrainer::SingleCostTrainer;

 protected:
  Tensor build_train_op(const OptimizerFunc& get_optimizer) override;
};

}  // namespace belfry
