#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <string>

#include "belfry/callbacks/inference_runner_base.h"

namespace belfry {

struct InferenceRunnerOptions {
  /// Name scope of the tower; two runners of one trainer need different ones.
  std::string tower_name = "InferenceTower";
  c10::Device device = c10::kCPU;
  /// How many batches of a dataflow are produced ahead, in a thread of its own; 0: none.
  size_t prefetch = 16;
  /// Default: the trainer's. Must outlive the training.
  TowerFunc* tower_func = nullptr;
  /// The input of the tower whose first dimension is the number of samples in a batch; "": see
  /// InferenceRunnerBase.
  std::string batch_input = {};
};

/// Evaluates inferencers over a dataset at the end of each epoch (or when triggered), in a tower that does
/// not train and uses the current values of the variables. Every sample counts once, those of a smaller last
/// batch too.
///
///     InferenceRunner(test, {ScalarStats("cross_entropy"), ClassificationError("error", "val-error")})
class InferenceRunner : public InferenceRunnerBase {
 public:
  /// One pass over `dataflow` each time.
  InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers, InferenceRunnerOptions options = {});
  /// To the end of `input` each time, or `input.size()` steps where it has none.
  InferenceRunner(Shared<InputSource> input, Inferencers inferencers, InferenceRunnerOptions options = {});

  std::string name() const override { return "InferenceRunner"; }

 protected:
  void run_batches(const UseValues& use) override;
};

}  // namespace belfry
