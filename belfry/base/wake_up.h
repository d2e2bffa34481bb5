#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace belfry {

/// Lets threads sleep until a condition on atomics becomes true; costs one load when nobody sleeps.
///
/// Note "Who changes, then looks; who sleeps, then looks": the thread that changes the condition stores to
/// the atomic (sequentially consistent) and then loads `sleepers_`; the sleeper adds itself to `sleepers_`
/// and then loads the atomic. In the one total order of these operations, at least one of the two sees the
/// other, so no wake-up is lost.
class WakeUp {
 public:
  /// Returns when `condition()` is true.
  template <typename Condition>
  void wait(Condition condition) {
    if (condition()) return;
    std::unique_lock lock(mutex_);
    ++sleepers_;
    changed_.wait(lock, condition);
    --sleepers_;
  }

  /// As wait(), but returns after `time` at the latest.
  template <typename Condition>
  void wait_for(std::chrono::nanoseconds time, Condition condition) {
    if (condition()) return;
    std::unique_lock lock(mutex_);
    ++sleepers_;
    changed_.wait_for(lock, time, condition);
    --sleepers_;
  }

  /// To be called after each change that may make a condition true.
  void notify_all() {
    if (sleepers_ == 0) return;
    // A sleeper that has looked but does not wait yet holds the mutex.
    { std::lock_guard lock(mutex_); }
    changed_.notify_all();
  }

 private:
  std::atomic<int> sleepers_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace belfry
