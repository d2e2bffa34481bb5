#include "belfry/callbacks/session_run_timeout.h"

#include <fmt/format.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {

/// Waits in a thread of its own, from one arm() to disarm(), for the time to run out.
class SessionRunTimeout::Watch {
 public:
  Watch(Trainer& trainer, std::chrono::milliseconds timeout)
      : trainer_(trainer), timeout_(timeout), thread_([this](const std::stop_token& stop) { watch(stop); }) {}

  void arm() {
    const std::lock_guard lock(mutex_);
    step_ = trainer_.global_step() + 1;
    deadline_ = std::chrono::steady_clock::now() + timeout_;
    is_armed_ = true;
    changed_.notify_all();
  }
  /// False where the time had run out.
  bool disarm() {
    const std::lock_guard lock(mutex_);
    is_armed_ = false;
    changed_.notify_all();
    return !expired_;
  }

 private:
  void watch(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      if (!is_armed_) {
        changed_.wait(lock, stop, [&] { return is_armed_; });
        continue;
      }
      const auto deadline = deadline_;
      changed_.wait_until(lock, stop, deadline, [&] { return !is_armed_ || deadline_ != deadline; });
      if (!is_armed_ || deadline_ != deadline || stop.stop_requested()) continue;
      expired_ = true;
      is_armed_ = false;
      log_error("[SessionRunTimeout] step {} has not come to its end within {} ms", step_, timeout_.count());
      trainer_.request_stop();
    }
  }

  Trainer& trainer_;
  const std::chrono::milliseconds timeout_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::chrono::steady_clock::time_point deadline_;
  int64_t step_ = 0;
  bool is_armed_ = false, expired_ = false;
  std::jthread thread_;  ///< last: it uses the others
};

SessionRunTimeout::SessionRunTimeout(std::chrono::milliseconds timeout) : timeout_(timeout) {
  if (timeout.count() <= 0)
    throw UsageError(fmt::format("[SessionRunTimeout] expected a positive time, got {} ms", timeout.count()));
}
SessionRunTimeout::SessionRunTimeout(SessionRunTimeout&&) noexcept = default;
SessionRunTimeout::~SessionRunTimeout() = default;

void SessionRunTimeout::before_epoch() {
  if (!watch_) watch_ = std::make_unique<Watch>(trainer(), timeout_);
  watch_->arm();
}

void SessionRunTimeout::after_run(const std::vector<at::Tensor>&) {
  if (watch_->disarm()) return;
  throw ResourceError(fmt::format("[SessionRunTimeout] expected step {} to end within {} ms, it took longer",
                                  trainer().global_step(), timeout_.count()));
}

void SessionRunTimeout::trigger_step() {
  watch_->arm();
}

void SessionRunTimeout::after_epoch() {
  watch_->disarm();
}

void SessionRunTimeout::after_train() {
  watch_.reset();
}

}  // namespace belfry
