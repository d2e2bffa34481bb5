#pragma once

#include <string>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/loop/callback.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct MergeAllSummariesOptions {
  /// Also evaluates every so many steps of an epoch, besides its last; 0: only then. Moving averages have a
  /// period of their own, MovingAverageSummaryOptions::period.
  int64_t period = 0;
  /// tensorpack's `key`.
  std::string collection = kSummaries;
  /// Evaluates in a run of its own, after the epoch or whenever triggered, and after every so many steps
  /// (`period`), instead of together with the step. The summaries must then not depend on what is fed.
  bool run_alone = false;
};

/// Evaluates the summaries of scalar_summary, histogram_summary and image_summary together with the last step
/// of each epoch, on the data of that very step, and puts them to the monitors.
class MergeAllSummaries : public Callback {
 public:
  explicit MergeAllSummaries(MergeAllSummariesOptions options = {});

  std::string name() const override { return "MergeAllSummaries"; }
  /// Throws UsageError when the collection holds a tensor that is no summary.
  void setup_graph() override;
  std::vector<Tensor> before_run() override;
  void after_run(const std::vector<at::Tensor>& values) override;
  /// With run_alone: throws UsageError when a summary depends on what is fed.
  void before_train() override;
  void trigger_step() override;
  void trigger() override;

 private:
  MergeAllSummariesOptions options_;
  std::vector<Tensor> fetches_;
  Callable alone_;
};

}  // namespace belfry
