#include "belfry/callbacks/throughput_tracker.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {

ThroughputTracker::ThroughputTracker(std::optional<int64_t> samples_per_step)
    : samples_per_step_(samples_per_step) {
  if (samples_per_step && *samples_per_step < 1) {
    throw UsageError(
        fmt::format("[ThroughputTracker] expected at least 1 sample in a step, got {}", *samples_per_step));
  }
}

double ThroughputTracker::seconds() const {
  return seconds_before_ + (since_ ? std::chrono::duration<double>(Clock::now() - *since_).count() : 0);
}

void ThroughputTracker::start_anew() {
  seconds_before_ = 0;
  if (since_) since_ = Clock::now();
  last_step_ = trainer().global_step();
}

void ThroughputTracker::before_train() {
  start_anew();
}

void ThroughputTracker::before_epoch() {
  since_ = Clock::now();
}

void ThroughputTracker::after_epoch() {
  seconds_before_ = seconds();
  since_.reset();
}

void ThroughputTracker::trigger() {
  const double steps = static_cast<double>(trainer().global_step() - last_step_), time = seconds();
  start_anew();
  if (!(time > 0)) return;
  if (samples_per_step_) {
    trainer().monitors().put_scalar("Throughput (samples/sec)",
                                    steps / time * static_cast<double>(*samples_per_step_));
  } else {
    trainer().monitors().put_scalar("Throughput (steps/sec)", steps / time);
  }
}

}  // namespace belfry
