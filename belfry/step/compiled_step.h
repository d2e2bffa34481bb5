#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/runtime/profiled_step.h"
#include "belfry/runtime/session.h"
#include "belfry/step/step_options.h"

namespace belfry {

/// A run of a session's graph that takes gradients and writes variables, compiled as a whole: forward,
/// backward and update as one list of instructions on planned memory. Cheap to copy; calls wait for each
/// other. It keeps the session's variables alive; the graph must outlive it.
///
/// The first call with new input shapes makes a program for them, which takes from milliseconds to a second.
/// There is an OutOfMemoryError where no memory is left for it.
class CompiledStep {
 public:
  /// As Callable's: the same values up to rounding, the same errors.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& feeds) const;

  /// Takes a step as a call does, and says what it spent its time with, in the order of the work. Empty where
  /// the session's plan did it. `results`: gets what the call would return.
  std::vector<ProfiledStep> profile(const std::vector<at::Tensor>& feeds,
                                    std::vector<at::Tensor>* results = nullptr) const;

  /// False where the options say so, and for a run that takes no gradients, takes them after a write, has
  /// shapes that depend on values, or is on a GPU: the session's ordinary plan runs it.
  bool is_compiled() const;
  /// In words; "" where it is compiled.
  std::string why_not_compiled() const;
  /// The graph before and after the passes and the instructions, of the newest program; or why there is none.
  std::string describe() const;

 private:
  friend class StepCompiler;
  struct State;
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& feeds, std::vector<ProfiledStep>* profile) const;
  explicit CompiledStep(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Compiles runs of one session, of which one at a time is under way: they take their memory from one block,
/// as large as the largest of them needs, and calls wait for each other. Cheap to copy. The session must
/// outlive it; the steps need it no more.
class StepCompiler {
 public:
  /// Throws UsageError for a dtype to compute in that is neither float32 nor bfloat16.
  explicit StepCompiler(Session& session, const StepOptions& options = {});

  /// For runs that other processes take part in: `all` says whether something is so in all of them. All then
  /// do such a run compiled, or none, and an error of one is not tried again by the plan.
  void set_agreement(std::function<bool(bool here)> all) { all_ = std::move(all); }

  /// Errors as Session::make_callable.
  CompiledStep compile(const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches) const;

 private:
  friend class CompiledStep;
  struct Memory;
  Session& session_;
  StepOptions options_;
  std::function<bool(bool)> all_;
  std::shared_ptr<Memory> memory_;
};

/// Compiles one run, with memory of its own.
CompiledStep compile_step(Session& session, const std::vector<Fetch>& feeds,
                          const std::vector<Fetch>& fetches, const StepOptions& options = {});

}  // namespace belfry
