#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/tower.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/trainer.h"
#include "belfry/step/compiled_step.h"
#include "belfry/step/step_options.h"

namespace belfry {

class CompiledStep;
namespace internal {
class Lockstep;
}
struct TrainWithDefaultsOptions;

/// Base of the trainers whose model is a tower function: knowing the function, it can build the model again
/// for prediction. To write one, with any number of costs and optimizers:
///
///     class MyTrainer : public TowerTrainer {
///      public:
///       MyTrainer(TowerFunc model, Shared<InputSource> input) {
///         GraphScope as_default(graph());
///         set_tower_func(std::move(model));
///         set_input(std::move(input));
///         const Tensor cost = build_training_tower();
///         set_train_op(...);  // or override run_step, to run_hooked what a step needs with next_batch()
///       }
///     };
class TowerTrainer : public Trainer {
 public:
  /// `step`: how steps are compiled.
  explicit TowerTrainer(const StepOptions& step = {});
  ~TowerTrainer() override;

  /// Also gives the variables the values of process 0, in a distributed training.
  void initialize(const AnySessionInit& init) override;
  bool is_distributed() const override { return lockstep_ != nullptr; }
  bool is_chief() const override;

  TowerFunc* tower_func() override { return tower_func_ ? &*tower_func_ : nullptr; }

  /// A callable in inference mode. The first call for a device builds the tower function there once more,
  /// under the name "tower-pred-cpu" (or "tower-pred-0" for the first GPU) and with the variables of
  /// training; a variable that training did not create is a UsageError. `inputs` are names of the signature;
  /// `outputs` are names as the tower function gives them, or full names of the graph.
  ///
  /// May be called at any time from setup_graph on; results need the session's variables to have values. Must
  /// be called from the training thread; the predictor may be used from any.
  std::shared_ptr<Predictor> get_predictor(const std::vector<std::string>& inputs,
                                           const std::vector<std::string>& outputs,
                                           c10::Device device = c10::kCPU,
                                           const CompileOptions& compile = {}) override;

  /// The function of that name (train_with_defaults.h) for this trainer.
  TrainingEnd train_with_defaults(const TrainWithDefaultsOptions& options);

  std::optional<DataProgress> data_progress() const override;
  bool resume_data(const DataProgress& progress) override;

 protected:
  /// The model is logged (describe_model) when training sets callbacks up. Throws UsageError when called
  /// twice.
  void set_tower_func(TowerFunc tower_func);
  /// Sets `input` up for the tower function's signature, and lets it start with training. Throws UsageError
  /// before set_tower_func, or when called twice.
  void set_input(Shared<InputSource> input);
  /// Calls the tower function with the input's tensors in a training tower without a name, on the current
  /// device; returns its output.
  Tensor build_training_tower();
  /// The values of one step, for run_hooked and run. Throws StopTraining at the end of the data, or when
  /// training was asked to stop while waiting for them.
  std::vector<at::Tensor> next_batch();

  struct DistributedTraining {
    bool broadcast_every_epoch = true;  ///< the variables of process 0, the moving averages for instance
    bool shared_data = false;           ///< the input of each process has its share of the same data
  };
  /// This training goes on in all processes of process_group(), each with a trainer like this one; with one
  /// process nothing changes. To be called first of all. The optimizer must be a distributed_optimizer().
  /// From then on process 0 is the chief, whose values of variables all begin with; each step asks for one
  /// next_batch() and runs the same in all; a request to stop, StopTraining or the end of the data in one
  /// process ends all after the same step, or the one after it.
  void train_in_all_processes(const DistributedTraining& options);
  void train_in_all_processes() { train_in_all_processes(DistributedTraining()); }
  bool must_stop() override;
  bool holds_back(const StopTraining& stop) override;
  void agree_on(LoopOptions& options) override;
  /// next_batch(); nothing where no input was set.
  std::vector<at::Tensor> step_values() override;
  /// The input's; none before set_input.
  std::vector<Tensor> feed_tensors() const override;
  /// Compiles the step, and measures it where that is asked for.
  StepRunner::Run prepare_run(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches) override;

 private:
  std::vector<at::Tensor> measure(const CompiledStep& step, const std::string& name,
                                  const std::vector<at::Tensor>& batch);
  const TowerTensorHandle& prediction_tower(c10::Device device);
  std::vector<at::Tensor> take_batch();
  std::optional<DataProgress> input_progress() const;

  class KeepTogether;
  StepOptions step_options_;
  std::optional<StepCompiler> compiler_;  ///< from the first run on
  std::optional<TowerFunc> tower_func_;
  Shared<InputSource> input_;
  DistributedTraining distributed_;
  std::unique_ptr<internal::Lockstep> lockstep_;  ///< null: this process is alone
};

}  // namespace belfry
