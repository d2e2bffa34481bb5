#include "belfry/base/log.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <mutex>

#include "belfry/base/error.h"
#include "belfry/base/log_prefix.h"
#include "belfry/base/printable.h"

namespace belfry {
namespace {

struct Log {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> screen =
      make("screen", std::make_shared<spdlog::sinks::stderr_color_sink_st>());
  std::shared_ptr<spdlog::logger> file;
  std::function<void(LogLevel, std::string_view)> sink;
  LogOverlay overlay;
  LogLevel level = LogLevel::kInfo;
  std::string prefix;

  static std::shared_ptr<spdlog::logger> make(const std::string& name, spdlog::sink_ptr sink) {
    auto logger = std::make_shared<spdlog::logger>(name, std::move(sink));
    logger->set_level(spdlog::level::trace);
    logger->set_pattern("[%m%d %H:%M:%S %^%L%$] %v");
    return logger;
  }

  // Never destroyed: threads may log while the process ends.
  static Log& get() {
    static Log* log = new Log;
    return *log;
  }
};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string as_lines(std::string_view message) {
  std::string lines;
  for (size_t begin = 0; begin <= message.size();) {
    const size_t end = std::min(message.find('\n', begin), message.size());
    if (begin > 0) lines += "\n  ";
    lines += printable(message.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

}  // namespace

void log_message(LogLevel level, std::string_view message) {
  // A sink that logs would wait for itself.
  static thread_local bool is_logging = false;
  if (is_logging) return;
  Log& log = Log::get();
  std::lock_guard lock(log.mutex);
  if (level < log.level) return;
  is_logging = true;
  const struct Done {
    ~Done() { is_logging = false; }
  } done;
  std::string prefixed;
  if (!log.prefix.empty()) message = prefixed = log.prefix + std::string(message);
  if (log.file) {
    log.file->log(to_spdlog(level), as_lines(message));
    log.file->flush();
  }
  if (log.overlay.clear) log.overlay.clear();
  if (log.sink) {
    log.sink(level, message);
  } else {
    log.screen->log(to_spdlog(level), as_lines(message));
  }
  if (log.overlay.redraw) log.overlay.redraw();
}

void set_log_level(LogLevel level) {
  Log& log = Log::get();
  std::lock_guard lock(log.mutex);
  log.level = level;
}

void set_log_prefix(std::string prefix) {
  Log& log = Log::get();
  std::lock_guard lock(log.mutex);
  log.prefix = std::move(prefix);
}

void log_to_file(const std::string& path) {
  Log& log = Log::get();
  std::lock_guard lock(log.mutex);
  if (path.empty()) {
    log.file = nullptr;
    return;
  }
  try {
    log.file = Log::make("file", std::make_shared<spdlog::sinks::basic_file_sink_st>(path));
  } catch (const spdlog::spdlog_ex& e) {
    throw DataError(path, e.what());
  }
}

void set_log_sink(std::function<void(LogLevel, std::string_view)> sink) {
  Log& log = Log::get();
  std::lock_guard lock(log.mutex);
  log.sink = std::move(sink);
}

void set_log_overlay(LogOverlay overlay) {
  Log& log = Log::get();
  std::lock_guard lock(log.mutex);
  log.overlay = std::move(overlay);
}

}  // namespace belfry
