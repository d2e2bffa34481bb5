#include "belfry/base/logger_dir.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <mutex>

#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"

namespace belfry {
namespace {

namespace fs = std::filesystem;

std::mutex mutex;
std::optional<std::string> logger_dir;  // guarded by mutex

bool is_in_use(const std::string& folder) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) return fs::exists(folder, ignored);
  return std::ranges::any_of(FileSystem::posix().list(folder),
                             [](const std::string& name) { return !name.starts_with('.'); });
}

std::string time_text() {
  return fmt::format("{:%m%d-%H%M%S}",
                     fmt::localtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
}

/// `name` with the time after it, and a number where that is taken too.
std::string with_time(const std::string& name) {
  const std::string base = name + time_text();
  std::string candidate = base;
  for (int i = 1; FileSystem::posix().exists(candidate); ++i) candidate = fmt::format("{}-{}", base, i);
  return candidate;
}

LoggerDirAction ask(const std::string& folder) {
  if (!::isatty(STDIN_FILENO)) {
    throw UsageError(fmt::format(
        "[set_logger_dir] expected an action for the folder {}, which is in use, got none, and no "
        "terminal to ask at",
        folder));
  }
  log_warning(
      "Log directory {} exists! k keeps it, to go on with an earlier run; d deletes it; b renames it; n "
      "takes "
      "another; q quits. Select Action:",
      folder);
  for (std::string line; std::getline(std::cin, line);) {
    try {
      return logger_dir_action(line);
    } catch (const UsageError& e) {
      log_warning("{}", e.what());
    }
  }
  return LoggerDirAction::kQuit;
}

/// The folder to use.
std::string make_room(const std::string& folder, LoggerDirAction action) {
  FileSystem& files = FileSystem::posix();
  switch (action) {
    case LoggerDirAction::kAsk:
      return make_room(folder, ask(folder));
    case LoggerDirAction::kBackup: {
      const std::string backup = with_time(folder);
      files.rename(folder, backup);
      log_info("Directory '{}' backuped to '{}'", folder, backup);
      return folder;
    }
    case LoggerDirAction::kDelete:
      files.remove_tree(folder);
      return folder;
    case LoggerDirAction::kNew: {
      const std::string other = with_time(folder);
      log_info("Use a new log directory {}", other);
      return other;
    }
    case LoggerDirAction::kKeep:
      return folder;
    case LoggerDirAction::kQuit:
      break;
  }
  throw UsageError(
      fmt::format("[set_logger_dir] expected a folder of its own, got {}, which is in use", folder));
}

std::string program_name() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).stem().string();
}

}  // namespace

LoggerDirAction logger_dir_action(const std::string& letter) {
  if (letter == "k") return LoggerDirAction::kKeep;
  if (letter == "d") return LoggerDirAction::kDelete;
  if (letter == "b") return LoggerDirAction::kBackup;
  if (letter == "n") return LoggerDirAction::kNew;
  if (letter == "q") return LoggerDirAction::kQuit;
  throw UsageError(fmt::format("[set_logger_dir] expected k, d, b, n or q, got '{}'", letter));
}

void set_logger_dir(const std::string& folder, LoggerDirAction action) {
  if (folder.empty()) throw UsageError("[set_logger_dir] expected a folder, got ''");
  std::string chosen = fs::path(folder).lexically_normal().string();
  while (chosen.size() > 1 && chosen.ends_with('/')) chosen.pop_back();
  FileSystem& files = FileSystem::posix();
  log_to_file("");  // the last folder's, which may be the one to delete
  if (is_in_use(chosen)) chosen = make_room(chosen, action);
  files.make_dirs(chosen);
  const std::string log = chosen + "/log.log";
  if (files.exists(log)) {
    const std::string backup = with_time(log + ".");
    files.rename(log, backup);
    log_info("Existing log file '{}' backuped to '{}'", log, backup);
  }
  log_to_file(log);
  const std::lock_guard lock(mutex);
  logger_dir = chosen;
}

void auto_set_dir(LoggerDirAction action, const std::string& name) {
  set_logger_dir(fmt::format("train_log/{}{}{}", program_name(), name.empty() ? "" : ":", name), action);
}

std::optional<std::string> get_logger_dir() {
  const std::lock_guard lock(mutex);
  return logger_dir;
}

}  // namespace belfry
