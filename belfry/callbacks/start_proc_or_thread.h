#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

/// What runs in a thread until its token asks it to stop, or a program with its arguments, looked for in
/// PATH.
using Startable = std::variant<std::function<void(const std::stop_token&)>, std::vector<std::string>>;

struct StartProcOrThreadOptions {
  /// Stop all of them after training: ask threads to stop, send SIGTERM to processes, and wait for both.
  /// Otherwise processes go on, and threads until the callback is destroyed.
  bool stop_at_last = true;
};

/// Starts threads or processes before training. What a thread throws is logged as an error, and training goes
/// on.
class StartProcOrThread : public Callback {
 public:
  /// Throws UsageError for a function or a list that is empty.
  explicit StartProcOrThread(std::vector<Startable> startables, StartProcOrThreadOptions options = {});
  StartProcOrThread(StartProcOrThread&&) noexcept;
  ~StartProcOrThread() override;

  std::string name() const override { return "StartProcOrThread"; }
  bool chief_only() const override { return false; }
  /// Throws ResourceError for a program that cannot be started.
  void before_train() override;
  void after_train() override;

 private:
  struct Running;
  std::vector<Startable> startables_;
  StartProcOrThreadOptions options_;
  std::unique_ptr<Running> running_;
};

}  // namespace belfry
