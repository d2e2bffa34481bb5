#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

struct EstimatedTimeLeftOptions {
  /// How many of the last epochs the estimate is made of; at least 1.
  size_t last_k_epochs = 5;
  /// Their median, or else their mean.
  bool median = true;
};

/// Logs how long the training will take from the end of each epoch on, callbacks included.
class EstimatedTimeLeft : public Callback {
 public:
  /// Throws UsageError for no epochs.
  explicit EstimatedTimeLeft(EstimatedTimeLeftOptions options = {});

  std::string name() const override { return "EstimatedTimeLeft"; }
  void before_train() override;
  void trigger_epoch() override;

 private:
  EstimatedTimeLeftOptions options_;
  std::deque<double> seconds_;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace belfry
