#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/inferencer.h"
#include "belfry/dataflow/dataflow.h"
#include "belfry/graph/tower.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/callback.h"

namespace belfry {

/// What InferenceRunner and DataParallelInferenceRunner have in common: inference towers, a pass over an
/// input each time they are triggered, the values of every batch to the inferencers in the order of the data,
/// and the inferencers' scalars to the monitors. They differ in how they run the batches.
///
/// A batch has as many samples as the first dimension of the inputs that are batches: those of the option
/// batch_input, else those whose first dimension is dynamic, else all that have one, if theirs is the same.
/// The log says at set-up which these are. Where there is none, or those of the first batch of an evaluation
/// disagree (pictures of any size and their boxes), each batch counts as one sample, and a warning says so;
/// if they disagree only later, it is an error.
///
/// A request to stop training ends the evaluation between two batches; nothing is reported then.
class InferenceRunnerBase : public Triggerable {
 public:
  /// Throws UsageError when there is no tower function, another runner has a tower of the same name, the
  /// tower lacks a tensor that an inferencer wants, the input neither ends nor has a size, or batch_input is
  /// no input with a first dimension.
  void setup_graph() override;
  void before_train() override;
  /// Throws DataError when there is no data at all, and what the data or an inferencer throws.
  void trigger() override;
  void after_train() override;

 protected:
  /// A tower of that name scope, on a device.
  struct Tower {
    std::string name;
    c10::Device device;
  };
  /// One callable is made for each of `towers`; those of one name share a tower. `tower_func`: null for the
  /// trainer's. Throws UsageError when `input` is null.
  InferenceRunnerBase(Shared<InputSource> input, Inferencers inferencers, std::vector<Tower> towers,
                      TowerFunc* tower_func, std::string batch_input);

  /// Passes over `dataflow` once, producing up to `prefetch` batches ahead; 0: none.
  static Shared<InputSource> one_pass(AnyDataFlow dataflow, size_t prefetch);

  using UseValues = std::function<void(const std::vector<at::Tensor>&)>;
  /// Runs each batch that next_batch gives with one of callables(), and passes the values to `use`, in the
  /// order of the batches, in the calling thread.
  virtual void run_batches(const UseValues& use) = 0;
  /// The values to feed for the next batch of the pass; nullopt at its end, or when `stop` is requested. Must
  /// not be called from two threads at the same time.
  std::optional<Datapoint> next_batch(std::stop_token stop);
  const std::vector<CompiledCallable>& callables() const { return callables_; }

 private:
  void choose_batch_inputs(const std::vector<TensorSpec>& signature);
  /// The number of samples in a batch, of which `sizes` are the first dimensions of the batch inputs.
  int64_t samples_in(const std::vector<int64_t>& sizes);
  void build_tower(const Tower& tower, TowerFunc& function);
  std::vector<Tensor> fetches_of(const TowerTensorHandle& tower) const;
  void give_to_inferencers(const std::vector<at::Tensor>& values);
  void report();

  Shared<InputSource> input_;
  Inferencers inferencers_;
  std::vector<Tower> towers_;
  TowerFunc* tower_func_;
  std::string batch_input_;
  std::vector<std::string> batch_inputs_;  ///< names of the inputs that are batches
  /// For each of towers_: the batch inputs, then all the inferencers' tensors.
  std::vector<std::vector<Tensor>> fetches_;
  std::vector<CompiledCallable> callables_;
  int64_t taken_ = 0;      ///< batches of this pass
  int64_t evaluated_ = 0;  ///< those of them whose values the inferencers have
  bool counts_batches_ = false, warned_ = false;
};

}  // namespace belfry
