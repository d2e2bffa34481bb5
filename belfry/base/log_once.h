#pragma once

#include "belfry/base/log.h"

namespace belfry {

/// Logs `message` unless this process has logged the same one of the same level with it before. Returns
/// whether it did. Safe to call from any thread.
bool log_once(std::string_view message, LogLevel level = LogLevel::kInfo);

}  // namespace belfry
