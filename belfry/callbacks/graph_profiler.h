#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "belfry/loop/callback.h"
#include "belfry/loop/run_profile.h"

namespace belfry {

struct GraphProfilerOptions {
  /// Write a file for each step into the trainer's log_dir, that chrome://tracing and Perfetto open.
  bool dump_tracing = true;
  /// Write what was made of the runs of a step (CompiledStep::describe) into the trainer's log_dir, once, as
  /// "step-STEP.txt"; for runs that are not compiled it has the reason, and the steps of the plan.
  bool dump_description = true;
  /// How many of the instructions that took longest the log lists, of all measured steps together; 0: none.
  int64_t log_slowest = 10;
  /// The first steps make programs, and touch their memory for the first time.
  int64_t skipped_steps = 10;
  int64_t steps = 10;  ///< that are measured after these
};

/// Measures some steps, instruction by instruction, as tensorpack's callback of that name does. The file of a
/// step is "chrome-trace-STEP.json", by its global_step: one bar for each run of the step, and under it those
/// of its instructions, named after the nodes that they compute. Bars lie one after the other, as the
/// instructions do; what goes on between them is not seen.
///
/// Only compiled steps have instructions; for others the log says why there is nothing.
class GraphProfiler : public Callback {
 public:
  /// Throws UsageError for numbers below 0.
  explicit GraphProfiler(GraphProfilerOptions options = {});

  std::string name() const override { return "GraphProfiler"; }
  /// Throws UsageError where there is no log_dir to write to.
  void before_train() override;
  void trigger_step() override;
  void after_train() override;

 private:
  bool is_measured(int64_t step) const;
  void take(const std::vector<RunProfile>& runs);
  void write(const std::string& name, const std::string& content) const;
  void log_slowest() const;

  GraphProfilerOptions options_;
  int64_t done_ = 0, measured_ = 0;
  bool told_why_none_ = false;
  std::vector<ProfiledStep> sums_;
};

}  // namespace belfry
