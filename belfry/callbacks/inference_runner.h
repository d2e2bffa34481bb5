#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/dataflow/dataflow.h"
#include "belfry/graph/tower.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/callback.h"
#include "belfry/runtime/compile_options.h"

namespace belfry {

namespace internal {
class Evaluation;
struct EvaluationConfig;
}  // namespace internal

struct InferenceRunnerOptions {
  /// Name scope of the tower; two runners of one trainer need different ones.
  std::string tower_name = "InferenceTower";
  c10::Device device = c10::kCPU;
  /// How many batches of a dataflow are produced ahead, in a thread of its own; 0: none.
  size_t prefetch = 16;
  /// Default: the trainer's. Must outlive the training.
  TowerFunc* tower_func = nullptr;
  /// The input of the tower whose first dimension is the number of samples in a batch; "": see
  /// InferenceRunner.
  std::string batch_input = {};
  /// How the tower is compiled.
  CompileOptions compile = {};
};

/// Evaluates inferencers over a dataset at the end of each epoch (or when triggered), in a tower that does
/// not train and uses the current values of the variables. Every sample counts once, those of a smaller last
/// batch too.
///
///     InferenceRunner(test, {ScalarStats("cross_entropy"), ClassificationError("error", "val-error")})
///
/// A batch has as many samples as the first dimension of the inputs that are batches: those of the option
/// batch_input, else those whose first dimension is dynamic, else all that have one, if theirs is the same.
/// The log says at set-up which these are. Where there is none, or those of the first batch of an evaluation
/// disagree (pictures of any size and their boxes), each batch counts as one sample, and a warning says so;
/// if they disagree only later, it is an error.
///
/// In a distributed training each process runs its share of the batches, and the inferencers of all see the
/// values of every batch, in the order of the data, so that all get the same results. Every process must have
/// the same data.
///
/// A request to stop training ends the evaluation between two batches; nothing is reported then.
class InferenceRunner : public Triggerable {
 public:
  /// One pass over `dataflow` each time.
  InferenceRunner(AnyDataFlow dataflow, Inferencers inferencers, const InferenceRunnerOptions& options = {});
  /// To the end of `input` each time, or `input.size()` steps where it has none.
  InferenceRunner(Shared<InputSource> input, Inferencers inferencers,
                  const InferenceRunnerOptions& options = {});

  /// Adds a callback to each batch of the evaluations: what its before_run asks for is computed with the
  /// batch, and its after_run gets the values, after the inferencers. It must ask for the same in each. Its
  /// setup_graph, before_train and after_train are called too, and no other hook. Throws UsageError when it
  /// is null, or the runner's setup_graph has been called.
  void register_hook(Shared<Callback> hook);

  std::string name() const override { return "InferenceRunner"; }
  bool chief_only() const override { return false; }

  /// Throws UsageError when there is no tower function, another runner has a tower of the same name, the
  /// tower lacks a tensor that an inferencer wants, the input neither ends nor has a size, or batch_input is
  /// no input with a first dimension.
  void setup_graph() override;
  void before_train() override;
  /// Throws DataError when there is no data at all, and what the data or an inferencer throws.
  void trigger() override;
  void after_train() override;

 protected:
  explicit InferenceRunner(internal::EvaluationConfig config);

 private:
  std::shared_ptr<internal::Evaluation> evaluation_;
};

}  // namespace belfry
