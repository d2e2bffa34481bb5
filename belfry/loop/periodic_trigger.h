#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/loop/proxy_callback.h"

namespace belfry {

struct PeriodicTriggerOptions {
  /// Trigger after the steps at which global_step is a multiple.
  std::optional<int64_t> every_k_steps = {};
  /// Trigger after the epochs whose number is a multiple.
  std::optional<int64_t> every_k_epochs = {};
  /// Trigger once before training too.
  bool before_train = false;
};

/// Calls another callback's trigger() at other times than the end of every epoch. Its other hooks run as
/// ever; its trigger_epoch() is never called.
///
///     PeriodicTrigger(ModelSaver(), {.every_k_steps = 1000})
class PeriodicTrigger : public ProxyCallback {
 public:
  /// Throws UsageError when the options never trigger, or a period is not positive.
  PeriodicTrigger(Shared<Callback> triggerable, PeriodicTriggerOptions options);

  std::string name() const override { return "PeriodicTrigger-" + inner().name(); }
  void before_train() override;
  void trigger_step() override;
  void trigger_epoch() override;

 private:
  PeriodicTriggerOptions options_;
};

}  // namespace belfry
