#pragma once

#include <string>

namespace belfry {

/// Begins every message of the log from now on, in stderr, file and sink: "[rank 1] ". "" ends it. Safe to
/// call from any thread.
void set_log_prefix(std::string prefix);

}  // namespace belfry
