#pragma once

#include <optional>
#include <string>

namespace belfry {

/// What to do about a folder that is there, and holds something other than hidden files.
enum class LoggerDirAction {
  kAsk,     ///< ask who sits at the terminal; where nobody does, it is an error
  kBackup,  ///< "b": rename it to one with the time in its name
  kDelete,  ///< "d": delete it with all that is in it
  kNew,     ///< "n": take another, with the time in its name
  kKeep,    ///< "k": use it as it is, to go on with an earlier training
  kQuit,    ///< "q": an error
};
/// The action of tensorpack's letter: "k", "d", "b", "n", "q". Throws UsageError for others.
LoggerDirAction logger_dir_action(const std::string& letter);

/// Makes `folder` that of the whole process: the log goes to "log.log" in it from now on (one that is there
/// is renamed), and a TrainConfig that names no other writes its files there. Made where it is missing.
///
/// Throws UsageError where the action is to ask and nobody answers, or to quit; DataError where the disk
/// refuses. Not safe to call from several threads.
void set_logger_dir(const std::string& folder, LoggerDirAction action = LoggerDirAction::kAsk);
/// set_logger_dir of "train_log/<program>", or "train_log/<program>:<name>".
void auto_set_dir(LoggerDirAction action = LoggerDirAction::kAsk, const std::string& name = "");
/// The folder that was set; none before.
std::optional<std::string> get_logger_dir();

}  // namespace belfry
