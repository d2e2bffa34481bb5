#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/loop/proxy_callback.h"

namespace belfry {

/// Runs another callback's hooks of epochs and steps only where a predicate holds: before_epoch, before_run
/// and what follows from it, trigger_step, after_epoch, trigger_epoch. Its other hooks run as ever.
///
/// The predicate is asked before each of them; of before_run, feeds_of_run and after_run before the first.
class EnableCallbackIf : public ProxyCallback {
 public:
  using Predicate = std::function<bool(Trainer& trainer)>;

  /// Throws UsageError when one of them is null.
  EnableCallbackIf(Shared<Callback> callback, Predicate predicate);

  std::string name() const override { return "EnableCallbackIf-" + inner().name(); }
  void before_epoch() override;
  std::vector<Tensor> before_run() override;
  std::vector<std::pair<Tensor, at::Tensor>> feeds_of_run() override;
  void after_run(const std::vector<at::Tensor>& values) override;
  void trigger_step() override;
  void after_epoch() override;
  void trigger_epoch() override;

 private:
  Predicate predicate_;
  bool runs_ = false;  ///< in the step under way
};

struct PeriodicCallbackOptions {
  /// Where global_step is a multiple.
  std::optional<int64_t> every_k_steps = {};
  /// Where epoch_num is a multiple, and in the last step of the training.
  std::optional<int64_t> every_k_epochs = {};
};

/// EnableCallbackIf for some steps, or epochs. It makes a callback run less often than it does by itself;
/// PeriodicTrigger can make one that acts at its trigger() run more often.
class PeriodicCallback : public EnableCallbackIf {
 public:
  /// Throws UsageError when the options never enable it, or a period is not positive.
  PeriodicCallback(Shared<Callback> callback, PeriodicCallbackOptions options);

  std::string name() const override { return "PeriodicCallback-" + inner().name(); }
};

}  // namespace belfry
