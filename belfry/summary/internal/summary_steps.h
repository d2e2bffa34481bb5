#pragma once

#include <cstdint>
#include <string>

namespace belfry {
class Trainer;
}

namespace belfry::internal {

/// Whether the step about to run is one to show summaries of: the last of the epoch, or every `period`-th; 0:
/// only the last.
bool is_summary_step(const Trainer& trainer, int64_t period);

/// Throws UsageError for a negative period.
void check_period(const std::string& who, int64_t period);

}  // namespace belfry::internal
