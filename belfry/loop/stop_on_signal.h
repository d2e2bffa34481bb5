#pragma once

#include <memory>

namespace belfry {

class Trainer;

/// While it lives, SIGINT (Ctrl-C), SIGTERM and SIGUSR1 (which batch systems can be told to send before they
/// kill) ask the trainer to stop after the current step, so that after_train runs and the program goes on. A
/// second signal ends the program at once, with the exit code 128 + its number. The handlers from before
/// return when the guard ends.
class StopOnSignal {
 public:
  /// The trainer must outlive the guard. Throws UsageError when another guard lives: signals belong to the
  /// whole process.
  explicit StopOnSignal(Trainer& trainer);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  class Watcher;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace belfry
