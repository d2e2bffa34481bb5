#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

struct EarlyStoppingOptions {
  /// How many values in a row may be no better than the best so far; at least 1.
  int64_t patience = 10;
  /// By how much a value must be better than the best to count.
  double min_delta = 0;
  /// Larger values are better.
  bool reverse = false;
};

/// Ends training (StopTraining) when a statistic has not improved for a while. Each time it is triggered it
/// looks at the newest value, where there is a new one: register it after what puts that. A NaN is no
/// improvement.
///
///     callbacks(InferenceRunner(...), MinSaver("val-error"), EarlyStopping("val-error", {.patience = 5}))
class EarlyStopping : public Triggerable {
 public:
  /// Throws UsageError for numbers out of range.
  explicit EarlyStopping(std::string monitor_stat, EarlyStoppingOptions options = {});

  std::string name() const override { return "EarlyStopping"; }
  void trigger() override;
  void after_train() override;

 private:
  std::string monitor_stat_;
  EarlyStoppingOptions options_;
  std::optional<double> best_;
  int64_t best_step_ = -1, last_step_ = -1;
  int64_t without_improvement_ = 0;
};

}  // namespace belfry
