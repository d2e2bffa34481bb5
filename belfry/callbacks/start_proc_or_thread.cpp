#include "belfry/callbacks/start_proc_or_thread.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

extern char** environ;

namespace belfry {
namespace {

pid_t spawn(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = ::posix_spawnp(&pid, arguments[0], nullptr, nullptr, arguments.data(), environ)) {
    throw ResourceError(fmt::format("[StartProcOrThread] expected to start '{}', got: {}",
                                    fmt::join(command, " "), std::strerror(error)));
  }
  return pid;
}

}  // namespace

struct StartProcOrThread::Running {
  std::vector<std::jthread> threads;
  std::vector<pid_t> processes;

  void stop() {
    for (std::jthread& thread : threads) thread.request_stop();
    for (const pid_t pid : processes) ::kill(pid, SIGTERM);
    threads.clear();  // waits
    for (const pid_t pid : std::exchange(processes, {})) {
      while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
      }
    }
  }
};

StartProcOrThread::StartProcOrThread(std::vector<Startable> startables, StartProcOrThreadOptions options)
    : startables_(std::move(startables)), options_(options) {
  for (const Startable& startable : startables_) {
    const auto* function = std::get_if<0>(&startable);
    const auto* command = std::get_if<1>(&startable);
    if ((function && !*function) || (command && command->empty()))
      throw UsageError("[StartProcOrThread] expected functions and commands, got an empty one");
  }
}
StartProcOrThread::StartProcOrThread(StartProcOrThread&&) noexcept = default;
StartProcOrThread::~StartProcOrThread() = default;

void StartProcOrThread::before_train() {
  running_ = std::make_unique<Running>();
  for (const Startable& startable : startables_) {
    if (const auto* command = std::get_if<1>(&startable)) {
      running_->processes.push_back(spawn(*command));
      log_info("[StartProcOrThread] started '{}' as process {}", fmt::join(*command, " "),
               running_->processes.back());
      continue;
    }
    running_->threads.emplace_back([function = std::get<0>(startable)](const std::stop_token& stop) {
      try {
        function(stop);
      } catch (const std::exception& e) {
        log_error("[StartProcOrThread] a thread failed: {}", e.what());
      } catch (...) {
        log_error("[StartProcOrThread] a thread failed with an exception of unknown type");
      }
    });
  }
}

void StartProcOrThread::after_train() {
  if (running_ && options_.stop_at_last) running_->stop();
}

}  // namespace belfry
