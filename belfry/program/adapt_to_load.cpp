#include "belfry/program/adapt_to_load.h"

#ifdef _OPENMP
#include <omp.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#endif

#include <algorithm>

// GNU's OpenMP spins for a shorter time while it manages more threads than there are processors (libgomp's
// gomp_throttled_spin_count). It is made to by a second team of threads, which sleeps. That the processors
// are wanted shows in the kernel's count of involuntary switches away from threads of this process. Measured
// with two threads on two processors, in a second and for each thread: 21 to 34 where nothing else runs, 85
// to 93 where others do.

namespace belfry::internal {
namespace {

/// Threads are too many where others leave less of a processor for each.
constexpr double kLeastShare = 0.67;
constexpr int kCalmLooks = 4;

}  // namespace

#ifdef _OPENMP
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kLookEvery = 50ms;
constexpr auto kCalmAfter = 2s;
constexpr auto kCountEvery = 500ms;
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

/// Seconds that the processors which this process may use have worked since the system started, for whomever;
/// nullopt where it does not say.
std::optional<double> processor_seconds() {
  cpu_set_t ours;
  CPU_ZERO(&ours);
  if (sched_getaffinity(0, sizeof(ours), &ours) != 0) return std::nullopt;
  std::ifstream stat("/proc/stat");  // proc(5): user nice system idle iowait irq softirq steal, in ticks
  std::string line;
  double ticks = 0;
  bool found = false;
  while (std::getline(stat, line)) {
    unsigned processor;
    double user, nice, system, idle, waiting, interrupts, soft_interrupts, stolen;
    if (std::sscanf(line.c_str(), "cpu%u %lf %lf %lf %lf %lf %lf %lf %lf", &processor, &user, &nice, &system,
                    &idle, &waiting, &interrupts, &soft_interrupts, &stolen) != 9)
      continue;
    if (processor >= CPU_SETSIZE || !CPU_ISSET(processor, &ours)) continue;
    ticks += user + nice + system + interrupts + soft_interrupts + stolen;
    found = true;
  }
  if (!found) return std::nullopt;
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double own_seconds() {
  timespec time = {};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// What other programs use of the processors.
struct Crowd {
  std::mutex mutex;
  Clock::time_point last_look = {};
  double last_all = 0, last_own = 0;
  ThreadLimit limit;

  int threads(int wanted) {
    const auto now = Clock::now();
    const std::lock_guard lock(mutex);
    if (now - last_look >= kCountEvery) look(now, wanted);
    return limit.threads(wanted);
  }

  void look(Clock::time_point now, int wanted) {
    const std::optional<double> all = processor_seconds();
    if (!all) return;
    const double own = own_seconds(), seconds = std::chrono::duration<double>(now - last_look).count();
    if (seconds < 30)  // what was counted over a longer time says little of now
      limit.look(wanted, omp_get_num_procs(), std::max(0.0, (*all - last_all - (own - last_own)) / seconds));
    last_look = now;
    last_all = *all;
    last_own = own;
  }
};

Crowd& the_crowd() {
  static Crowd& crowd = *new Crowd;
  return crowd;
}

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

int threads_worth_using(int wanted) {
  return wanted <= 1 ? wanted : the_crowd().threads(wanted);
}
#else
void adapt_to_load() {}
bool is_adapted_to_load() {
  return false;
}
int threads_worth_using(int wanted) {
  return wanted;
}
#endif

void ThreadLimit::look(int wanted, double processors, double others) {
  others_ += (others - others_) / 2;
  const double left = processors - others_;
  int now = threads(wanted);
  calm_looks_ = now < wanted && left >= 0.9 * std::min(2 * now, wanted) ? calm_looks_ + 1 : 0;
  if (calm_looks_ >= kCalmLooks) {
    now = 2 * now;
    limit_ = now < wanted ? now : kNoLimit;
    calm_looks_ = 0;
  }
  while (now > 1 && left < kLeastShare * now) limit_ = now = (now + 1) / 2;
}

int ThreadLimit::threads(int wanted) const {
  return std::min(limit_, wanted);
}

}  // namespace belfry::internal
