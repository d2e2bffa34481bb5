#pragma once

#include <ATen/core/Tensor.h>

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/runtime/session.h"

namespace belfry {

class Trainer;

/// Something to do at given moments of training. Override the hooks; each is named by when it runs. In the
/// order in which the trainer calls them:
///
///     setup_graph                      once; nodes may be added only here
///     before_train                     once, the session is ready
///       before_epoch                   for each epoch
///         before_run -> after_run      for each step: ask for tensors, get their values from that very run;
///                                      after each before_run, feeds_of_run: values for that run
///         trigger_step                 after each step
///       after_epoch                    right after the last step of an epoch
///       trigger_epoch                  then; calls trigger() unless overridden
///     after_train                      once, also when training failed or was stopped
///
/// All are called from the training thread. Callbacks run in the order of registration.
class Callback {
 public:
  virtual ~Callback() = default;

  /// For messages: "ModelSaver".
  virtual std::string name() const = 0;

  virtual void setup_graph() {}
  virtual void before_train() {}
  virtual void before_epoch() {}
  /// The tensors to fetch with the coming step; all the callbacks' fetches run together with the step.
  virtual std::vector<Tensor> before_run() { return {}; }
  /// Values to feed to the coming step, each with its tensor, once before_run has been called. They replace
  /// what the batch, or a callback before this one, has for the same tensor. Steps that feed the same tensors
  /// are prepared once.
  virtual std::vector<std::pair<Tensor, at::Tensor>> feeds_of_run() { return {}; }
  /// The values of what before_run asked for, in its order; empty when it asked for nothing.
  virtual void after_run(const std::vector<at::Tensor>& values) { (void)values; }
  virtual void trigger_step() {}
  virtual void after_epoch() {}
  virtual void trigger_epoch() { trigger(); }
  /// What the callback does when a trigger (PeriodicTrigger, or the end of an epoch) fires.
  virtual void trigger() {}
  virtual void after_train() {}

  /// False for callbacks that every process of a distributed training must run.
  virtual bool chief_only() const { return true; }
  /// Says so for this one object, whatever its class says. Called before it is registered.
  void set_chief_only(bool chief_only) { set_chief_only_ = chief_only; }
  /// What holds: the class's answer, or the object's own.
  bool runs_on_chief_only() const { return set_chief_only_.value_or(chief_only()); }

  /// The trainer it is registered with. Requires: registered.
  Trainer& trainer() const;
  /// The tensors of those names in the first training tower, else in the graph: "cost", "tower0/cost",
  /// "fc/W". From setup_graph on. Throws UsageError when one is not found.
  std::vector<Tensor> get_tensors_maybe_in_tower(const std::vector<std::string>& names) const;
  /// Called by the trainer before setup_graph; callbacks that hold others override it to pass it on.
  virtual void attach(Trainer& trainer) { trainer_ = &trainer; }

 private:
  Trainer* trainer_ = nullptr;
  std::optional<bool> set_chief_only_;
};

/// Base of the callbacks that are there for their trigger(): at the end of each epoch, or when a
/// PeriodicTrigger says. Any callback may be triggered; a Triggerable must have something to do then.
class Triggerable : public Callback {
 public:
  void trigger() override = 0;
};

using Callbacks = std::vector<std::shared_ptr<Callback>>;

/// `callbacks(ModelSaver(), MinSaver("val-error"))`: a list of callbacks from callbacks or pointers to them.
template <typename... Ts>
Callbacks callbacks(Ts&&... items) {
  static_assert(
      (std::convertible_to<Ts, Shared<Callback>> && ...),
      "callbacks(...) expects objects of classes derived from belfry::Callback, or pointers to such");
  return {Shared<Callback>(std::forward<Ts>(items))...};
}

}  // namespace belfry
