#include "belfry/callbacks/early_stopping.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {

EarlyStopping::EarlyStopping(std::string monitor_stat, EarlyStoppingOptions options)
    : monitor_stat_(std::move(monitor_stat)), options_(options) {
  if (options.patience < 1)
    throw UsageError(
        fmt::format("[EarlyStopping] expected a patience of at least 1, got {}", options.patience));
  if (!(options.min_delta >= 0))
    throw UsageError(
        fmt::format("[EarlyStopping] expected a min_delta of at least 0, got {}", options.min_delta));
}

void EarlyStopping::trigger() {
  const auto latest = trainer().monitors().get_latest(monitor_stat_);
  if (!latest || latest->step == last_step_) return;
  last_step_ = latest->step;
  const double sign = options_.reverse ? -1 : 1, value = sign * latest->value;
  if (value == value && (!best_ || value < *best_ - options_.min_delta)) {
    best_ = value;
    best_step_ = latest->step;
    without_improvement_ = 0;
    return;
  }
  if (++without_improvement_ < options_.patience) return;
  throw StopTraining(best_ ? fmt::format("'{}' has not improved since global_step={}, when it was {:.6g}",
                                         monitor_stat_, best_step_, sign * *best_)
                           : fmt::format("'{}' has never been a number", monitor_stat_));
}

void EarlyStopping::after_train() {
  if (last_step_ < 0)
    log_error("[EarlyStopping] nobody has put a value of '{}': it could not stop anything", monitor_stat_);
}

}  // namespace belfry
