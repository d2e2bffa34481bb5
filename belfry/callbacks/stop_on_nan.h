#pragma once

#include <string>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

struct StopOnNaNOptions {
  /// Tensors to look at, as in the tower function; empty: what the training towers return, their cost. Where
  /// they return nothing, as in a trainer of several costs, there is nothing to look at.
  std::vector<std::string> names = {};
  /// Scalar variable that the message quotes if the graph has it.
  std::string learning_rate = "learning_rate";
};

/// Stops training with the first step whose cost is NaN or infinite. An error in the log names the first
/// tensor that is not finite, the step and the learning rate. Training ends as with StopTraining, for
/// the reason EndReason::kNotFinite: the epoch's triggers do not run any more, so the last checkpoint stays
/// the last good one.
class StopOnNaN : public Callback {
 public:
  explicit StopOnNaN(StopOnNaNOptions options = {});

  std::string name() const override { return "StopOnNaN"; }
  bool chief_only() const override { return false; }
  /// Throws UsageError when a name is not found.
  void before_train() override;
  std::vector<Tensor> before_run() override { return fetches_; }
  void after_run(const std::vector<at::Tensor>& values) override;

 private:
  std::string learning_rate_text() const;

  StopOnNaNOptions options_;
  std::vector<Tensor> fetches_;
};

}  // namespace belfry
