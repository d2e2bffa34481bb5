#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "belfry/loop/trainer.h"
#include "belfry/runtime/session.h"

namespace belfry::internal {

/// What keeps the processes of one training together: they take the same steps, from the same values, and
/// stop after the same step.
class Lockstep {
 public:
  using Batch = std::vector<at::Tensor>;
  using Take = std::function<Batch()>;
  using Progress = std::function<std::optional<DataProgress>()>;

  /// Throws UsageError, which names the first difference, where the graphs of the processes differ in their
  /// variables or collectives.
  void compare(const Graph& graph) const;
  /// Gives all variables the values that they have in process 0.
  void broadcast_variables(Session& session) const;
  /// Those of process 0, and the largest number of steps that any process has.
  void agree_on(LoopOptions& options) const;

  /// The batch of the coming step. `take` gives batches, or throws StopTraining; it is called one step ahead,
  /// so that a process without a further batch says so in time. Throws StopTraining in all processes at the
  /// same step, once one of them has no batch, was asked to stop, or holds a StopTraining back.
  Batch next(const Take& take, const Progress& progress, bool stop_requested);
  /// How much of the data the batches so far were.
  const std::optional<DataProgress>& data_progress() const { return progress_; }

  /// What a callback has thrown: all stop after the next step.
  void hold_back(const StopTraining& stop) {
    if (!held_) held_ = stop;
  }
  const std::optional<StopTraining>& held() const { return held_; }
  /// Whether it is true in all processes.
  bool all(bool here) const;
  /// Waits for what was begun.
  void finish();

 private:
  void take_ahead(const Take& take, const Progress& progress);
  void announce(bool stop_requested);
  /// Throws StopTraining where a process wants to stop.
  void hear();

  bool has_begun_ = false;
  std::optional<Batch> ahead_;
  std::optional<DataProgress> progress_, progress_ahead_;
  std::optional<StopTraining> held_;
  at::Tensor wish_;  ///< why to stop, and who says so; 0: nobody
  std::function<void()> wait_;
};

}  // namespace belfry::internal
