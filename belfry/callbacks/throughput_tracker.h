#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

/// Puts the speed of training since it was last triggered to the monitors: "Throughput (samples/sec)", or
/// "Throughput (steps/sec)" where the samples of a step are not known. Only the time of epochs counts, not
/// that of what callbacks do between them.
class ThroughputTracker : public Callback {
 public:
  /// `samples_per_step`: of all devices together. Throws UsageError unless it is positive.
  explicit ThroughputTracker(std::optional<int64_t> samples_per_step = {});

  std::string name() const override { return "ThroughputTracker"; }
  bool chief_only() const override { return false; }
  void before_train() override;
  void before_epoch() override;
  void after_epoch() override;
  void trigger() override;

 private:
  using Clock = std::chrono::steady_clock;
  double seconds() const;
  void start_anew();

  std::optional<int64_t> samples_per_step_;
  double seconds_before_ = 0;               ///< up to the last pause
  std::optional<Clock::time_point> since_;  ///< while it runs
  int64_t last_step_ = 0;
};

}  // namespace belfry
