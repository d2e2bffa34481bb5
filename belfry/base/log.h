#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>

namespace belfry {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Writes to the log: time, level, message. Goes to stderr, and to the file given to `log_to_file`; there,
/// each line of the message is made printable(), and those after the first are indented, so that a name from
/// a file cannot pass for a line of the log. Safe to call from any thread.
void log_message(LogLevel level, std::string_view message);

/// Messages below `level` are dropped. Default: kInfo.
void set_log_level(LogLevel level);

/// Also appends every message to `path` (its folder is made if missing) until the next call; "" stops.
/// Throws DataError when the file cannot be opened.
void log_to_file(const std::string& path);

/// Sends every message to `sink` instead of stderr; an empty function restores stderr. For programs that have
/// their own log, for tests, and for the progress bar, which must clear its line first. `sink` is called by
/// one thread at a time, with messages as they are; what it logs itself is dropped.
void set_log_sink(std::function<void(LogLevel, std::string_view)> sink);

/// Something that keeps the terminal's last line to itself, like a progress bar.
struct LogOverlay {
  std::function<void()> clear, redraw;
};

/// Calls `clear` before and `redraw` after each line that goes to stderr or the sink; an empty overlay ends
/// it. Both are called under the log's lock and must not log. Once this returns, the overlay from before is
/// not called any more.
void set_log_overlay(LogOverlay overlay);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  log_message(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace belfry
