#include "belfry/loop/stop_on_signal.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <thread>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

// What the handler may touch: it must be async-signal-safe, so it only counts and writes to an eventfd. The
// watcher's thread does the rest, as asking a trainer to stop wakes threads and takes locks.
std::atomic<int> wake_fd{-1};
std::atomic<int> signals_seen{0};
static_assert(std::atomic<int>::is_always_lock_free);

void wake_watcher() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_fd.load(), &one, sizeof one);
}

void on_signal(int number) {
  if (signals_seen.fetch_add(1) > 0) ::_exit(128 + number);
  const int saved_errno = errno;
  wake_watcher();
  errno = saved_errno;
}

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGUSR1};

}  // namespace

class StopOnSignal::Watcher {
 public:
  explicit Watcher(Trainer& trainer) {
    const int fd = ::eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
      throw InternalError(fmt::format("[StopOnSignal] expected an eventfd, got: {}", std::strerror(errno)));
    int none = -1;
    if (!wake_fd.compare_exchange_strong(none, fd)) {
      ::close(fd);
      throw UsageError("[StopOnSignal] expected one guard at a time, got a second one");
    }
    signals_seen = 0;
    try {
      thread_ = std::thread([fd, &trainer] { wait(fd, trainer); });
    } catch (...) {  // the system has no more threads
      ::close(wake_fd.exchange(-1));
      throw;
    }
    struct sigaction action = {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    for (size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &action, &before_[i]);
  }

  ~Watcher() {
    for (size_t i = 0; i < std::size(kSignals); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    wake_watcher();
    thread_.join();
    ::close(wake_fd.exchange(-1));
  }

 private:
  static void wait(int fd, Trainer& trainer) {
    uint64_t count = 0;
    while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (signals_seen == 0) return;
    log_info("Stopping after this step. A second signal ends the program at once.");
    trainer.request_stop();
  }

  struct sigaction before_[std::size(kSignals)];
  std::thread thread_;
};

StopOnSignal::StopOnSignal(Trainer& trainer) : watcher_(std::make_unique<Watcher>(trainer)) {}
StopOnSignal::~StopOnSignal() = default;

}  // namespace belfry
