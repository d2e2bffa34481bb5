#include "belfry/callbacks/stat_monitor_param_setter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {

StatMonitorParamSetter::StatMonitorParamSetter(std::string variable_name, std::string stat_name,
                                               ValueFunc value_func, StatMonitorOptions options)
    : StatMonitorParamSetter(Shared<HyperParam>(GraphVarParam(std::move(variable_name))),
                             std::move(stat_name), std::move(value_func), options) {}

StatMonitorParamSetter::StatMonitorParamSetter(Shared<HyperParam> param, std::string stat_name,
                                               ValueFunc value_func, StatMonitorOptions options)
    : HyperParamSetter(std::move(param)),
      stat_name_(std::move(stat_name)),
      value_func_(std::move(value_func)),
      options_(options) {
  if (!value_func_) throw UsageError("[StatMonitorParamSetter] expected a function, got none");
  if (options.last_k < 1) {
    throw UsageError(
        fmt::format("[StatMonitorParamSetter] expected last_k of at least 1, got {}", options.last_k));
  }
  if (!(options.threshold >= 0)) {
    throw UsageError(fmt::format("[StatMonitorParamSetter] expected a threshold of at least 0, got {}",
                                 options.threshold));
  }
}

std::optional<double> StatMonitorParamSetter::get_value_to_set() {
  const auto latest = trainer().monitors().get_latest(stat_name_);
  if (!latest) {
    log_warning("[StatMonitorParamSetter] no history is there for '{}'", stat_name_);
    return std::nullopt;
  }
  if (!history_.empty() && history_.back().step == latest->step) {
    log_warning("[StatMonitorParamSetter] no new value of '{}' since it was triggered last", stat_name_);
    return std::nullopt;
  }
  history_.push_back(*latest);
  if (std::ssize(history_) < options_.last_k) return std::nullopt;
  if (std::ssize(history_) > options_.last_k) history_.pop_front();
  const double sign = options_.reverse ? -1 : 1, first = sign * history_.front().value;
  const bool improved = std::ranges::any_of(history_, [&](const Monitors::Latest& entry) {
    return sign * entry.value < first - options_.threshold;
  });
  if (improved) return std::nullopt;
  std::string values;
  for (const auto& entry : history_)
    values += fmt::format("{}{:.3g}", values.empty() ? "" : ", ", entry.value);
  log_info("[StatMonitorParamSetter] Triggered, history of {}: {}", stat_name_, values);
  history_.clear();
  return value_func_(param().value());
}

}  // namespace belfry
