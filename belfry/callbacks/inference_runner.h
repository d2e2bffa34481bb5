#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/dataflow/dataflow.h"
#include "belfry/graph/tower.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/callback.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct InferenceRunnerOptions {
  /// Name scope of the tower; two runners of one trainer need different ones.
  std::string tower_name = "InferenceTower";
  c10::Device device = c10::kCPU;
  /// How many batches of a dataflow are produced ahead, in a thread of its own; 0: none.
  size_t prefetch = 16;
  /// Default: the trainer's. Must outlive the training.
  TowerFunc* tower_func = nullptr;
};

/// Evaluates inferencers over a dataset at the end of each epoch (or when triggered), in a tower that does
/// not train and uses the current values of the variables. Every sample counts once, those of a smaller last
/// batch too.
///
///     InferenceRunner(test, {ScalarStats("cross_entropy"), ClassificationError("error", "val-error")})
///
/// A request to stop training ends the evaluation between two batches; nothing is reported then.
class InferenceRunner : public Callback {
 public:
  /// One pass over `dataflow` each time.
  InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers, InferenceRunnerOptions options = {});
  /// `input.size()` steps each time, or to its end where the size is not known.
  InferenceRunner(Shared<InputSource> input, Inferencers inferencers, InferenceRunnerOptions options = {});

  std::string name() const override { return "InferenceRunner"; }
  /// Throws UsageError when there is no tower function, or the tower lacks a tensor that an inferencer wants.
  void setup_graph() override;
  void before_train() override;
  /// Throws DataError when there is no data at all, and what the data or an inferencer throws.
  void trigger() override;
  void after_train() override;

 private:
  Shared<InputSource> input_;
  std::optional<int64_t> limit_;  ///< number of steps; none: to the end of the input
  Inferencers inferencers_;
  InferenceRunnerOptions options_;
  std::vector<Tensor> fetches_;
  Callable callable_;
};

}  // namespace belfry
