#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/loop/callback.h"
#include "belfry/loop/monitor.h"
#include "belfry/loop/run_profile.h"
#include "belfry/loop/step_runner.h"
#include "belfry/runtime/compile_options.h"
#include "belfry/runtime/session.h"
#include "belfry/runtime/session_init.h"

namespace belfry {

class Predictor;

/// Why training ended.
enum class EndReason {
  kNone,           ///< it has not
  kMaxEpoch,       ///< the last epoch is done, or was before
  kStopRequested,  ///< request_stop(): a signal, another thread
  kStopTraining,   ///< StopTraining, thrown without another reason
  kEndOfData,      ///< the input had no more
  kNotFinite,      ///< a value that StopOnNaN looks at was NaN or infinite
  kFailed,         ///< an exception, which the caller gets
};
/// "the last epoch is done"
std::string to_string(EndReason reason);

/// How training ended: what a program makes its exit code of.
struct TrainingEnd {
  EndReason reason = EndReason::kNone;
  /// In words, for people: what StopTraining said, the exception's message.
  std::string message;
};

/// Thrown by a callback, an input or run_step to end training cleanly: after_train still runs, train()
/// returns.
class StopTraining : public std::exception {
 public:
  explicit StopTraining(std::string message, EndReason reason = EndReason::kStopTraining)
      : message_(std::move(message)), reason_(reason) {}
  const char* what() const noexcept override { return message_.c_str(); }
  EndReason reason() const { return reason_; }

 private:
  std::string message_;
  EndReason reason_;
};

/// How much of its data a training has taken: `index` datapoints of pass `pass`, as `source` counts them.
struct DataProgress {
  std::string source;
  int64_t pass = 0, index = 0;
  int64_t num_part = 1;  ///< of so many processes, each with every num_part-th datapoint, this is the first
};

/// How often, and from where, the loop runs.
struct LoopOptions {
  int64_t steps_per_epoch = -1;  ///< must be given; 0 to run the callbacks only
  int64_t starting_epoch = 1;
  int64_t max_epoch = 99999;  ///< the last epoch, counted from 1
  /// Steps of the first epoch that an earlier run has done already; the first epoch has only the rest.
  int64_t starting_step = 0;
};

/// What `Trainer::train` needs.
struct TrainOptions {
  Callbacks callbacks = {};
  std::vector<std::shared_ptr<Monitor>> monitors = {};
  AnySessionInit session_init = {};  ///< nothing: initial values
  LoopOptions loop = {};
  /// Folder for checkpoints, event files, the log; "" where callbacks name theirs.
  std::string log_dir = {};
};

/// Owns the graph and the session of a training and runs the double loop of epochs and steps with callbacks
/// around it. Knows nothing of models; derive from it (or from TowerTrainer) and say what a step is.
class Trainer {
 public:
  Trainer();
  virtual ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// setup_callbacks, initialize and main_loop, in this order; call these instead for finer control. A
  /// trainer trains once. Returns how it ended.
  TrainingEnd train(const TrainOptions& options);

  /// Adds a callback in front of those that setup_callbacks registers. Returns false, and leaves it out, when
  /// it is for the chief only and this is not the chief. Throws UsageError after setup_callbacks.
  bool register_callback(std::shared_ptr<Callback> callback);
  /// From now on every run of this trainer that runs the node of `op` computes `companion` too. Throws
  /// UsageError where one is none. Called before training.
  void run_together(const Tensor& op, const Tensor& companion);
  /// Registers the counter of global_step, `options.callbacks`, then the monitors, and lets them set up their
  /// part of the graph, each under a name scope of its own name (monitors: under none).
  void setup_callbacks(const TrainOptions& options);
  /// Gives the variables their initial values, then applies `init`; the graph is final from here on.
  virtual void initialize(const AnySessionInit& init);
  /// Runs the loop. Returns after the last epoch, or when StopTraining was thrown or request_stop called; any
  /// other exception ends training too (after_train runs) and is thrown again. What one callback throws in
  /// after_train is logged, and the others' after_train still runs. Throws UsageError for options that make
  /// no sense.
  ///
  /// Belfry's errors and std's exceptions of a callback gain its name and hook, the original nested in them;
  /// an exception of another class is thrown again as it is, and the log names the callback.
  TrainingEnd main_loop(const LoopOptions& options);
  /// How training ended; kNone before. Callbacks see it in after_train.
  const TrainingEnd& end() const { return end_; }

  /// Asks the loop to stop after the current step, and whatever waits with stop_token() to wait no more. Safe
  /// from any thread; from a signal handler use StopOnSignal.
  void request_stop() { stop_.request_stop(); }
  bool stop_requested() const { return stop_.stop_requested(); }
  std::stop_token stop_token() const { return stop_.get_token(); }
  /// True once an exception other than StopTraining has ended the loop: the last step may be half done, so
  /// after_train must not take the variables for good.
  bool failed() const { return end_.reason == EndReason::kFailed; }

  Graph& graph() { return graph_; }
  /// The session of the training; its variables have values from initialize() on.
  Session& session() { return *session_; }
  Monitors& monitors() { return monitors_; }
  const std::string& log_dir() const { return log_dir_; }

  /// Number of the epoch under way, from 1. In trigger_epoch of epoch 3 it is 3.
  int64_t epoch_num() const { return epoch_num_; }
  /// How many steps the model has been trained for, over all runs; kept in the variable "global_step".
  int64_t global_step() const { return global_step_; }
  /// Index of the step under way in its epoch, from 0; it stays that of the last step until the next begins.
  /// -1 before the first.
  int64_t local_step() const { return local_step_; }
  const LoopOptions& loop() const { return loop_; }
  /// Steps of the epoch under way that are done, those of an earlier run among them.
  int64_t steps_done() const { return steps_done_; }

  /// How much of the data the steps so far have taken; nullopt where the data cannot be resumed there, and in
  /// trainers that know no input.
  virtual std::optional<DataProgress> data_progress() const { return std::nullopt; }
  /// Before the loop: lets the data begin there. Returns false where it cannot.
  virtual bool resume_data(const DataProgress& progress) {
    (void)progress;
    return false;
  }
  /// Session::random_states of the nodes that have drawn numbers since initialize(): dropout's, not the
  /// initializers'.
  std::map<std::string, at::Tensor> random_states() const;

  /// From now on, measures the runs of steps, or does not. A TowerTrainer can; one that cannot has no
  /// profiles.
  void profile_runs(bool wanted) { profiles_runs_ = wanted; }
  /// Of the runs that were measured since the last call, in their order.
  std::vector<RunProfile> take_run_profiles() { return std::exchange(run_profiles_, {}); }

  /// Whether the processes of process_group() train together, and all take the same steps.
  virtual bool is_distributed() const { return false; }
  /// False in the processes of a distributed training that do not save and report.
  virtual bool is_chief() const { return true; }

  /// A compiled callable in inference mode that maps `inputs` to `outputs`, named as in the tower function.
  /// Overridden by TowerTrainer; here an error, as there is no tower function.
  virtual std::shared_ptr<Predictor> get_predictor(const std::vector<std::string>& inputs,
                                                   const std::vector<std::string>& outputs,
                                                   c10::Device device = c10::kCPU,
                                                   const CompileOptions& compile = {});
  /// The tower function, or null.
  virtual TowerFunc* tower_func() { return nullptr; }

 protected:
  /// One iteration. Must call run_hooked exactly once for the step to be counted; may run anything else.
  /// Unless overridden, runs the operation of set_train_op with step_values(). Throws UsageError where there
  /// is none.
  virtual void run_step();
  /// What a step runs. Called before training.
  void set_train_op(const Tensor& train_op) { train_op_ = train_op; }
  const Tensor& train_op() const { return train_op_; }
  /// The batch of the coming step: one value for each of feed_tensors().
  virtual std::vector<at::Tensor> step_values() { return {}; }
  /// Runs `fetches` together with everything the callbacks ask for in before_run; `batch` has one value for
  /// each of feed_tensors(). Returns the values of `fetches`. Increments the global step.
  std::vector<at::Tensor> run_hooked(const std::vector<Tensor>& fetches,
                                     const std::vector<at::Tensor>& batch = {});
  /// As above without callbacks and count, for a step of several runs.
  std::vector<at::Tensor> run(const std::vector<Tensor>& fetches, const std::vector<at::Tensor>& batch = {});
  /// Prepares what runs a step: here the session's plan. Called once for each combination of feeds and
  /// fetches that is run, and again for one that was not run for long.
  ///
  /// What it returns may ask profiles_runs(), and then add one.
  virtual StepRunner::Run prepare_run(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches);
  bool profiles_runs() const { return profiles_runs_; }
  void add_run_profile(RunProfile profile) { run_profiles_.push_back(std::move(profile)); }
  /// Whether the loop ends before the next step.
  virtual bool must_stop() { return stop_requested(); }
  /// What a callback has thrown to end training. True: the loop goes on for now, as others have to end with
  /// it.
  virtual bool holds_back(const StopTraining& stop) {
    (void)stop;
    return false;
  }
  /// Before the loop: lets it be the same in all processes.
  virtual void agree_on(LoopOptions& options) { (void)options; }
  void read_global_step();
  /// The placeholders that every batch has values for, in its order; the same from the first run on.
  virtual std::vector<Tensor> feed_tensors() const { return {}; }

 private:
  class StepCounter;
  /// Calls `hook` of every callback in order; an exception gains the callback's name.
  template <typename Call>
  void for_each_callback(const char* hook, Call call);
  void check(const LoopOptions& options) const;
  /// prepare_run, with the companions of what runs.
  StepRunner::Run prepare_with_companions(const std::vector<Tensor>& feeds,
                                          const std::vector<Tensor>& fetches);
  void run_epochs();
  /// False when it was asked to stop.
  bool run_epoch();
  void end_with(EndReason reason, std::string message);
  void after_train();

  Graph graph_;
  std::unique_ptr<Session> session_;
  StepRunner runner_;
  Tensor train_op_;
  std::vector<std::pair<Tensor, Tensor>> companions_;  ///< of run_together
  bool profiles_runs_ = false;
  std::vector<RunProfile> run_profiles_;
  Callbacks callbacks_;
  Monitors monitors_;
  std::string log_dir_;
  LoopOptions loop_;
  int64_t epoch_num_ = 0, global_step_ = 0, local_step_ = -1, steps_done_ = 0;
  bool is_set_up_ = false;
  TrainingEnd end_;
  std::map<std::string, at::Tensor> random_states_of_initializers_;
  std::stop_source stop_;
};

/// The variable "global_step" (int64, not trainable) of the default graph; created on first use. It exists
/// once in a graph, at the root, whatever scope is current.
Variable get_global_step();

}  // namespace belfry
