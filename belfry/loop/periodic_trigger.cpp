#include "belfry/loop/periodic_trigger.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry {

PeriodicTrigger::PeriodicTrigger(Shared<Callback> triggerable, PeriodicTriggerOptions options)
    : ProxyCallback(std::move(triggerable)), options_(options) {
  if (!options_.every_k_steps && !options_.every_k_epochs && !options_.before_train) {
    throw UsageError(
        fmt::format("[{}] expected every_k_steps, every_k_epochs or before_train, got none: it would never "
                    "trigger",
                    name()));
  }
  for (const auto& period : {options_.every_k_steps, options_.every_k_epochs}) {
    if (period && *period <= 0)
      throw UsageError(fmt::format("[{}] expected a positive period, got {}", name(), *period));
  }
}

void PeriodicTrigger::before_train() {
  inner().before_train();
  if (options_.before_train) inner().trigger();
}

void PeriodicTrigger::trigger_step() {
  inner().trigger_step();
  if (options_.every_k_steps && trainer().global_step() % *options_.every_k_steps == 0) inner().trigger();
}

void PeriodicTrigger::trigger_epoch() {
  if (options_.every_k_epochs && trainer().epoch_num() % *options_.every_k_epochs == 0) inner().trigger();
}

}  // namespace belfry
