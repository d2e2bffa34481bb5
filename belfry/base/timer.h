#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace belfry {

/// Measures the time since it was made, without the time for which it was paused.
class Timer {
 public:
  using Clock = std::chrono::steady_clock;

  void reset() { *this = Timer(); }
  /// Throws UsageError when it is paused already.
  void pause();
  /// Throws UsageError when it is not paused.
  void resume();
  bool is_paused() const { return paused_at_.has_value(); }
  double seconds() const;

 private:
  Clock::time_point start_ = Clock::now();
  Clock::duration paused_{0};
  std::optional<Clock::time_point> paused_at_;
};

/// Logs how long its scope took: "Loading finished, time: 1.0312 sec." With `log_start` also "Start loading
/// ..." at once.
///
///     TimedOperation timed("loading");
class TimedOperation {
 public:
  /// Throws UsageError when `message` is empty.
  explicit TimedOperation(std::string message, bool log_start = false);
  ~TimedOperation();
  TimedOperation(const TimedOperation&) = delete;
  TimedOperation& operator=(const TimedOperation&) = delete;

 private:
  std::string message_;
  Timer timer_;
};

/// Adds the time of its scope to a total of that name, which the whole process shares. Safe in any thread.
///
///     TotalTimer timed("decode");
class TotalTimer {
 public:
  struct Total {
    double seconds = 0;
    int64_t count = 0;
  };

  explicit TotalTimer(std::string name) : name_(std::move(name)) {}
  ~TotalTimer();
  TotalTimer(const TotalTimer&) = delete;
  TotalTimer& operator=(const TotalTimer&) = delete;

  /// Zeros for a name that nobody used.
  static Total of(const std::string& name);
  /// Logs all totals, a line each.
  static void log_all();

 private:
  std::string name_;
  Timer timer_;
};

/// Logs each `log_every` calls how long they took, since the first of all:
///
///     IterSpeedCounter speed(100);
///     for (;;) { ...; speed(); }
class IterSpeedCounter {
 public:
  /// Throws UsageError when `log_every` is not positive.
  explicit IterSpeedCounter(int64_t log_every, std::string name = "IterSpeed");
  void operator()();
  /// The time starts anew; the calls are counted on.
  void reset() { timer_.reset(); }
  int64_t count() const { return count_; }

 private:
  int64_t log_every_, count_ = 0;
  std::string name_;
  Timer timer_;
};

/// A time in words: "1 minute 27 seconds", "1 day 1 second", "0.01 second", "0 second". Seconds are whole
/// from a minute on, below that rounded to three digits.
std::string humanize_time_delta(double seconds);

}  // namespace belfry
