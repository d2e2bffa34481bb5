#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/graph/tensor.h"
#include "belfry/loop/callback.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct RunOpOptions {
  /// When to run it: once before training, when triggered, together with each step.
  bool run_before = true;
  bool run_as_trigger = true;
  bool run_step = false;
  /// Log each run.
  bool verbose = false;
};

/// Runs an operation of the graph, e.g. the copying of weights to a second network.
class RunOp : public Triggerable {
 public:
  /// `make_op` is called once, when the training graph is there, and builds or finds the operation.
  explicit RunOp(std::function<Tensor()> make_op, RunOpOptions options = {});
  /// An operation that the graph has by then, or its name: `RunOp("sync_target_network")`.
  explicit RunOp(Fetch op, RunOpOptions options = {});

  std::string name() const override { return "RunOp"; }
  bool chief_only() const override { return false; }
  /// Throws UsageError when there is no such operation.
  void setup_graph() override;
  void before_train() override;
  std::vector<Tensor> before_run() override;
  void trigger() override;

 private:
  void log_run() const;

  std::function<Tensor()> make_op_;
  std::optional<Fetch> existing_;  ///< instead of it
  RunOpOptions options_;
  Tensor op_;
  Callable callable_;
};

/// Runs the members of a collection together with each step: the moving averages of BatchNorm.
class RunUpdateOps : public Callback {
 public:
  explicit RunUpdateOps(std::string collection = kUpdateOps);

  std::string name() const override { return "RunUpdateOps"; }
  bool chief_only() const override { return false; }
  void setup_graph() override;
  std::vector<Tensor> before_run() override { return fetches_; }

 private:
  std::string collection_;
  std::vector<Tensor> fetches_;  ///< one group, or nothing
};

}  // namespace belfry
