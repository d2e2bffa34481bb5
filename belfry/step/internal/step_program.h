#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "belfry/inference/internal/aten_view.h"
#include "belfry/program/prepared.h"
#include "belfry/program/program.h"
#include "belfry/runtime/internal/variable_store.h"
#include "belfry/runtime/profiled_step.h"
#include "belfry/step/internal/step_function.h"
#include "belfry/step/step_options.h"

namespace belfry::internal {

/// A step as programs for feeds of certain shapes: the head computes everything that depends on no write, the
/// checks may refuse it, the tail writes. One thread at a time may run it.
class StepProgram {
 public:
  /// `function` is the run of a session whose variables are in `store`. Called below the dispatcher's
  /// autograd keys, as the runs are. Throws UsageError where a shape depends on values.
  ///
  /// The head's values lie in `block`, which other steps may use in turn: what they leave there is good until
  /// the next step.
  StepProgram(StepFunction function, const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches,
              VariableStore& store, const StepOptions& options, std::shared_ptr<MemoryBlock> block);

  /// Throws UsageError for a variable without a value.
  void check_variables() const;
  /// Dense feeds. False where a NaN may have been lost on the way. Where it was, and where it throws, nothing
  /// has been written, and random numbers stand where they did before.
  ///
  /// `profile`, where there is one, gets the instructions and their times, here and in run_tail.
  bool run_head(const std::vector<at::Tensor>& feeds, std::vector<ProfiledStep>* profile = nullptr);
  /// Undoes what a run of the head has done beside its values: random numbers stand where they did.
  void rewind() { set_random_states(random_states_); }
  /// Whether the head waits for other processes.
  bool has_collectives() const { return has_collectives_; }
  /// Writes. Called after run_head.
  void run_tail(std::vector<ProfiledStep>* profile = nullptr);
  /// Copies of the fetches, after both.
  std::vector<at::Tensor> results(const std::vector<at::Tensor>& feeds) const;
  /// Between head and tail: whether a fetched scalar of the head, such as a cost, is NaN or infinite.
  bool has_cost_not_finite() const;
  /// After run_head, and before run_tail: where the first number that is not finite comes from, in words; ""
  /// where there is none. Runs the head once more.
  std::string explain_not_finite(const std::vector<at::Tensor>& feeds);

  const std::string& describe() const { return report_; }

 private:
  void build_head(const StepOptions& options, std::shared_ptr<MemoryBlock> block);
  /// Of `nodes` of the session's graph, which find the head's values.
  std::unique_ptr<Program> build_rest(const std::vector<const Node*>& nodes, const StepOptions& options);
  void set_feeds(const std::vector<at::Tensor>& feeds);
  bool filters_are_ordinary() const;
  TensorView variable(const Node& node);
  void note_writes();
  std::vector<at::Tensor> random_states() const;
  void set_random_states(const std::vector<at::Tensor>& states);

  StepFunction function_;
  const std::vector<Tensor> fetches_;
  VariableStore& store_;
  std::vector<VariableStore::Cell*> cells_, written_;
  std::unique_ptr<Prepared> prepared_;
  uint64_t packed_version_ = 0;
  bool check_numbers_ = true, has_collectives_ = false;
  std::unique_ptr<Program> head_, checks_, tail_;
  std::vector<const Node*> random_;                ///< of the session's graph: the head draws their numbers
  std::vector<at::Tensor> random_states_;          ///< before the last run
  std::unordered_map<Tensor, TensorView> values_;  ///< of the session's graph, that the head leaves

  struct None {};
  struct Feed {
    size_t index;
  };
  std::vector<std::variant<None, Feed, at::Tensor>> results_;
  AtenTensors tensors_;  ///< of the results
  std::string report_;
};

}  // namespace belfry::internal
