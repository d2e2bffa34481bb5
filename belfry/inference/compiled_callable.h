#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <string>
#include <vector>

#include "belfry/runtime/compile_options.h"
#include "belfry/runtime/profiled_step.h"
#include "belfry/runtime/session.h"

namespace belfry {

/// A run of a session's graph, compiled for inference. Cheap to copy; any number of threads may call one at
/// the same time. It keeps the session's variables alive and sees their newest values; the graph must outlive
/// it.
///
/// The first call with new input shapes makes a program for them, which takes from milliseconds to a second.
/// A thread that finds all programs of its shapes in use makes one more; they share the weights.
class CompiledCallable {
 public:
  /// As Callable's: the same values up to rounding, the same errors.
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& feeds) const;
  /// Writes the results into the caller's dense CPU tensors. Throws UsageError when one has another dtype or
  /// shape.
  void run_into(const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results) const;

  /// Runs once, and says what that spent its time with, in the order of the work. Empty where the graph is
  /// not compiled.
  std::vector<ProfiledStep> profile(const std::vector<at::Tensor>& feeds) const;

  /// False where the graph draws random numbers, writes variables, has shapes that depend on values, or is on
  /// a GPU: the session's ordinary plan runs it.
  bool is_compiled() const;
  /// The graph before and after each pass, and the instructions of the newest program.
  std::string describe() const;

 private:
  friend CompiledCallable compile(Session&, const std::vector<Fetch>&, const std::vector<Fetch>&,
                                  const CompileOptions&);
  struct State;
  explicit CompiledCallable(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

/// Compiles what `fetches` need for values of `feeds`. Errors as Session::make_callable.
CompiledCallable compile(Session& session, const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches,
                         const CompileOptions& options = {});

}  // namespace belfry
