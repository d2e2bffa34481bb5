#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/loop/callback.h"
#include "belfry/loop/monitor.h"
#include "belfry/runtime/predictor.h"
#include "belfry/runtime/session.h"
#include "belfry/runtime/session_init.h"

namespace belfry {

/// Thrown by a callback, an input or run_step to end training cleanly: after_train still runs, train()
/// returns.
class StopTraining : public std::exception {
 public:
  explicit StopTraining(std::string reason) : reason_(std::move(reason)) {}
  const char* what() const noexcept override { return reason_.c_str(); }

 private:
  std::string reason_;
};

/// How often, and from where, the loop runs.
struct LoopOptions {
  int64_t steps_per_epoch = 0;  ///< may be 0 to run the callbacks only
  int64_t starting_epoch = 1;
  int64_t max_epoch = 99999;  ///< the last epoch, counted from 1
};

/// What `Trainer::train` needs.
struct TrainOptions {
  Callbacks callbacks;
  std::vector<std::shared_ptr<Monitor>> monitors;
  AnySessionInit session_init;  ///< nothing: initial values
  LoopOptions loop;
  /// Folder for checkpoints, event files, the log; "" where callbacks name theirs.
  std::string log_dir;
};

/// Owns the graph and the session of a training and runs the double loop of epochs and steps with callbacks
/// around it. Knows nothing of models; derive from it (or from TowerTrainer) and say what a step is.
class Trainer {
 public:
  Trainer();
  virtual ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// setup_callbacks, initialize and main_loop, in this order; call these instead for finer control.
  void train(const TrainOptions& options);

  /// Registers MaintainStepCounter, `options.callbacks`, then the monitors, and lets them set up their part
  /// of the graph.
  void setup_callbacks(const TrainOptions& options);
  /// Makes the session, initialises its variables, then applies `init`; the graph is final from here on.
  void initialize(const SessionInit* init);
  /// Runs the loop. Returns after the last epoch, or when StopTraining was thrown or request_stop called; any
  /// other exception ends training too (after_train runs) and is thrown again.
  void main_loop(const LoopOptions& options);

  /// Ask the loop to stop after the current step. Safe from any thread and from a signal handler.
  void request_stop() { stop_requested_.store(true, std::memory_order_relaxed); }
  bool stop_requested() const { return stop_requested_.load(std::memory_order_relaxed); }

  Graph& graph() { return graph_; }
  /// Requires: initialize() was called.
  Session& session();
  Monitors& monitors() { return monitors_; }
  const std::string& log_dir() const { return log_dir_; }

  /// Number of the epoch under way, from 1. In trigger_epoch of epoch 3 it is 3.
  int64_t epoch_num() const { return epoch_num_; }
  /// How many steps the model has been trained for, over all runs; kept in the variable "global_step".
  int64_t global_step() const { return global_step_; }
  /// Number of steps finished in the current epoch.
  int64_t local_step() const { return local_step_; }
  const LoopOptions& loop() const { return loop_; }

  /// False in the processes of a distributed training that do not save and report.
  virtual bool is_chief() const { return true; }

  /// A callable in inference mode that maps `inputs` to `outputs`, named as in the tower function. Overridden
  /// by TowerTrainer; here an error, as there is no tower function.
  virtual std::shared_ptr<OnlinePredictor> get_predictor(const std::vector<std::string>& inputs,
                                                         const std::vector<std::string>& outputs,
                                                         c10::Device device = c10::kCPU);
  /// The tower function, or null.
  virtual TowerFunc* tower_func() { return nullptr; }

 protected:
  /// One iteration. Must call run_hooked exactly once for the step to be counted; may run anything else.
  virtual void run_step() = 0;
  /// Runs `fetches` with `feeds` together with everything the callbacks ask for in before_run. Returns the
  /// values of `fetches`. Increments the global step.
  std::vector<at::Tensor> run_hooked(const std::vector<Tensor>& fetches, const Feeds& feeds = {});

 private:
  void run_epoch();

  Graph graph_;
  std::unique_ptr<Session> session_;
  Callbacks callbacks_;
  Monitors monitors_;
  std::string log_dir_;
  LoopOptions loop_;
  int64_t epoch_num_ = 0, global_step_ = 0, local_step_ = 0;
  std::atomic<bool> stop_requested_{false};
};

/// The variable "global_step" (int64, not trainable) of the default graph; created on first use. It exists
/// once in a graph, at the root, whatever scope is current.
Variable get_global_step();

}  // namespace belfry
