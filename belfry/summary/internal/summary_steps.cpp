#include "belfry/summary/internal/summary_steps.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"

namespace belfry::internal {

bool is_summary_step(const Trainer& trainer, int64_t period) {
  const int64_t step = trainer.local_step() + 1;
  return step == trainer.loop().steps_per_epoch || (period > 0 && step % period == 0);
}

void check_period(const std::string& who, int64_t period) {
  if (period >= 0) return;
  throw UsageError(fmt::format("[{}] expected a period of 0 or more steps, got {}", who, period));
}

}  // namespace belfry::internal
