#include "belfry/program/adapt_to_load.h"

#ifdef _OPENMP
#include <omp.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#endif

// GNU's OpenMP spins for a shorter time while it manages more threads than there are processors (libgomp's
// gomp_throttled_spin_count). It is made to by a second team of threads, which sleeps. That the processors
// are wanted shows in the kernel's count of involuntary switches away from threads of this process. Measured
// with two threads on two processors, in a second and for each thread: 21 to 34 where nothing else runs, 85
// to 93 where others do.

namespace belfry::internal {

#ifdef _OPENMP
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kLookEvery = 50ms;
constexpr auto kCalmAfter = 2s;
constexpr double kBusy = 60, kQuiet = 45;  // switches in a second, for each thread

/// A thread with a team of OpenMP's threads, all asleep. Never destroyed: at the end of the process the
/// threads are simply gone.
class SleepingTeam {
 public:
  void start() {
    if (running_) return;
    stop_ = false;
    try {
      std::thread([this] { sleep(); }).detach();
      running_ = true;
    } catch (const std::system_error&) {  // no more threads: all the same
    }
  }
  void stop() {
    if (!running_) return;
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_one();
    running_ = false;
  }
  bool is_running() const { return running_; }

 private:
  void sleep() {
    std::atomic<int> here = 0;
#pragma omp parallel num_threads(omp_get_num_procs())
    ++here;  // so that the compiler does not leave the region out
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return stop_; });
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::atomic<bool> running_ = false;
};

struct Governor {
  const bool may_act = !std::getenv("OMP_WAIT_POLICY") && !std::getenv("GOMP_SPINCOUNT");
  std::atomic<int64_t> next_look{0};  ///< of Clock
  std::mutex mutex;                   ///< guards the rest
  Clock::time_point last_look = {}, last_busy = {};
  long last_switches = 0;
  double smooth_rate = 0;  ///< over some looks, as switches come in bursts
  SleepingTeam team;

  void look(Clock::time_point now) {
    const std::unique_lock lock(mutex, std::try_to_lock);
    if (!lock.owns_lock()) return;
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    const double seconds = std::chrono::duration<double>(now - last_look).count();
    const double rate =
        static_cast<double>(usage.ru_nivcsw - last_switches) / seconds / omp_get_max_threads();
    const bool has_paused = seconds > 1;  // what was counted is of other work, or there was no look before
    last_look = now;
    last_switches = usage.ru_nivcsw;
    next_look = (now + kLookEvery).time_since_epoch().count();
    if (has_paused) return;
    smooth_rate += (rate - smooth_rate) / 4;
    if (smooth_rate > kBusy) {
      last_busy = now;
      team.start();
    } else if (smooth_rate > kQuiet) {
      last_busy = now;
    } else if (now - last_busy > kCalmAfter) {
      team.stop();
    }
  }
};

Governor& the_governor() {
  static Governor& governor = *new Governor;
  return governor;
}

}  // namespace

void adapt_to_load() {
  Governor& governor = the_governor();
  if (!governor.may_act || omp_get_max_threads() <= 1) return;
  const auto now = Clock::now();
  if (now.time_since_epoch().count() >= governor.next_look.load(std::memory_order_relaxed))
    governor.look(now);
}

bool is_adapted_to_load() {
  return the_governor().team.is_running();
}
#else
void adapt_to_load() {}
bool is_adapted_to_load() {
  return false;
}
#endif

}  // namespace belfry::internal
