#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "belfry/callbacks/hyper_param_setter.h"
#include "belfry/loop/monitor.h"

namespace belfry {

struct StatMonitorOptions {
  /// How much better than the first of the last values the best must be.
  double threshold = 0;
  /// How many of the last values are looked at; must be given, at least 1.
  int64_t last_k = 0;
  /// Larger values are better.
  bool reverse = false;
};

/// Changes a hyper-parameter when a statistic has stopped to improve: when none of its last `last_k` values
/// is smaller than the first of these by more than `threshold`. Then it waits for as many values again.
///
///     StatMonitorParamSetter("learning_rate", "val-error", [](double rate) { return rate * 0.2; },
///                            {.last_k = 5})
///
/// Each time it is triggered it takes the newest value: register it after what puts that. It warns where
/// there is none, or none new.
class StatMonitorParamSetter : public HyperParamSetter {
 public:
  using ValueFunc = std::function<double(double old_value)>;

  /// Throws UsageError for a function that is none, and for numbers out of range.
  StatMonitorParamSetter(std::string variable_name, std::string stat_name, ValueFunc value_func,
                         StatMonitorOptions options);
  StatMonitorParamSetter(Shared<HyperParam> param, std::string stat_name, ValueFunc value_func,
                         StatMonitorOptions options);

  std::string name() const override { return "StatMonitorParamSetter"; }
  void before_train() override {}

 protected:
  std::optional<double> get_value_to_set() override;

 private:
  std::string stat_name_;
  ValueFunc value_func_;
  StatMonitorOptions options_;
  std::deque<Monitors::Latest> history_;
};

}  // namespace belfry
