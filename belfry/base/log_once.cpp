#include "belfry/base/log_once.h"

#include <mutex>
#include <set>
#include <utility>

namespace belfry {

bool log_once(std::string_view message, LogLevel level) {
  static std::mutex mutex;
  static std::set<std::pair<LogLevel, std::string>> logged;  // guarded by the mutex
  {
    std::lock_guard lock(mutex);
    if (!logged.emplace(level, message).second) return false;
  }
  log_message(level, message);
  return true;
}

}  // namespace belfry
