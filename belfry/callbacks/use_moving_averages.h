#pragma once

#include <string>

#include "belfry/loop/proxy_callback.h"

namespace belfry {

/// Triggers another callback while the variables that have a moving average hold it: to evaluate, or to save,
/// with averaged weights. Afterwards they hold what they did before.
///
///     UseMovingAverages(InferenceRunner(...))
///
/// The callback's other hooks run as ever. See ExponentialMovingAverage.
class UseMovingAverages : public ProxyCallback {
 public:
  /// Throws UsageError when it is null.
  explicit UseMovingAverages(Shared<Callback> callback) : ProxyCallback(std::move(callback)) {}

  std::string name() const override { return "UseMovingAverages-" + inner().name(); }
  /// Throws UsageError where no variable has an average.
  void before_train() override;
  void trigger_epoch() override { trigger(); }
  void trigger() override;
};

}  // namespace belfry
