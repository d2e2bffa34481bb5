#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "belfry/loop/callback.h"

namespace belfry {

/// Ends a training whose steps hang. A step that takes longer, waiting for data included, is named in the log
/// at once, and training is asked to stop (Trainer::request_stop), which wakes what waits for data: then it
/// ends as one that was asked to. A step that comes to its end too late fails the training with a
/// ResourceError. A kernel that never returns cannot be ended from within.
///
/// The time of a step is that from the end of the step before to its own after_run, so that what callbacks
/// registered later do after a step counts too.
class SessionRunTimeout : public Callback {
 public:
  /// Throws UsageError unless the time is positive.
  explicit SessionRunTimeout(std::chrono::milliseconds timeout);
  SessionRunTimeout(SessionRunTimeout&&) noexcept;
  ~SessionRunTimeout() override;

  std::string name() const override { return "SessionRunTimeout"; }
  bool chief_only() const override { return false; }
  void before_epoch() override;
  /// Throws ResourceError where the step took too long.
  void after_run(const std::vector<at::Tensor>& values) override;
  void trigger_step() override;
  void after_epoch() override;
  void after_train() override;

 private:
  class Watch;
  std::chrono::milliseconds timeout_;
  std::unique_ptr<Watch> watch_;  ///< of the step under way
};

}  // namespace belfry
