#include "belfry/callbacks/hyper_param_setter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

/// Equal up to the rounding of a float variable.
bool is_close(double a, double b) {
  return std::abs(a - b) <= 1e-8 + 1e-5 * std::abs(b);
}

}  // namespace

HyperParamSetter::HyperParamSetter(std::string variable_name)
    : HyperParamSetter(Shared<HyperParam>(GraphVarParam(std::move(variable_name)))) {}

HyperParamSetter::HyperParamSetter(Shared<HyperParam> param) : param_(std::move(param)) {
  if (!param_) throw UsageError("[HyperParamSetter] expected a parameter, got null");
}

void HyperParamSetter::setup_graph() {
  param_->setup_graph(trainer());
}

void HyperParamSetter::trigger() {
  if (const auto value = get_value_to_set()) set(*value);
}

void HyperParamSetter::set(double value) {
  if (last_value_ != value && trainer().epoch_num() != last_epoch_logged_) {
    if (last_value_) {
      log_info("[{}] At global_step={}, {} changes from {:.6f} to {:.6f}", name(), trainer().global_step(),
               param_->name(), *last_value_, value);
    } else {
      log_info("[{}] At global_step={}, {} is set to {:.6f}", name(), trainer().global_step(), param_->name(),
               value);
    }
    last_epoch_logged_ = trainer().epoch_num();
  }
  last_value_ = value;
  param_->set_value(value);
}

ScheduledHyperParamSetter::ScheduledHyperParamSetter(std::string variable_name, Schedule schedule,
                                                     ScheduleOptions options)
    : ScheduledHyperParamSetter(Shared<HyperParam>(GraphVarParam(std::move(variable_name))),
                                std::move(schedule), options) {}

ScheduledHyperParamSetter::ScheduledHyperParamSetter(Shared<HyperParam> param, Schedule schedule,
                                                     ScheduleOptions options)
    : HyperParamSetter(std::move(param)), schedule_(std::move(schedule)), options_(options) {
  std::sort(schedule_.begin(), schedule_.end());
  const auto twice = std::adjacent_find(schedule_.begin(), schedule_.end(),
                                        [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != schedule_.end()) {
    throw UsageError(
        fmt::format("[ScheduledHyperParamSetter {}] expected one value for each point, got {} and {} for {}",
                    this->param().name(), twice->second, (twice + 1)->second, twice->first));
  }
}

void ScheduledHyperParamSetter::before_train() {
  // The point that current_point() names has been completed already.
  HyperParamSetter::before_train();
  const auto expected = value_in_force(current_point());
  if (!expected || is_close(*expected, param().value())) return;
  if (options_.set_at_beginning) {
    set(*expected);
  } else {
    log_warning("[{}] By its schedule, {} should be {:.7g} now, but it is {:.7g}.", name(), param().name(),
                *expected, param().value());
  }
}

void ScheduledHyperParamSetter::trigger_step() {
  if (options_.step_based) trigger();
}

void ScheduledHyperParamSetter::trigger_epoch() {
  if (!options_.step_based) trigger();
}

int64_t ScheduledHyperParamSetter::current_point() const {
  return options_.step_based ? trainer().global_step() : trainer().epoch_num();
}

std::optional<double> ScheduledHyperParamSetter::value_at(int64_t point) const {
  const auto next = std::find_if(schedule_.begin(), schedule_.end(),
                                 [&](const auto& entry) { return entry.first >= point; });
  if (next == schedule_.end()) return std::nullopt;
  if (next->first == point) return next->second;
  if (!options_.linear || next == schedule_.begin()) return std::nullopt;
  const auto& [last_point, last_value] = *(next - 1);
  const double share =
      static_cast<double>(point - last_point) / static_cast<double>(next->first - last_point);
  return last_value + share * (next->second - last_value);
}

std::optional<double> ScheduledHyperParamSetter::value_in_force(int64_t point) const {
  if (const auto value = value_at(point)) return value;
  std::optional<double> value;
  for (const auto& [entry_point, entry_value] : schedule_) {
    if (entry_point < point) value = entry_value;
  }
  return value;
}

HyperParamSetterWithFunc::HyperParamSetterWithFunc(std::string variable_name, Function function)
    : HyperParamSetterWithFunc(Shared<HyperParam>(GraphVarParam(std::move(variable_name))),
                               std::move(function)) {}

HyperParamSetterWithFunc::HyperParamSetterWithFunc(Shared<HyperParam> param, Function function)
    : HyperParamSetter(std::move(param)), function_(std::move(function)) {
  if (!function_) throw UsageError("[HyperParamSetterWithFunc] expected a function, got none");
}

HyperParamSetterWithFunc::HyperParamSetterWithFunc(const GraphVarParam& param, TensorFunction function)
    : HyperParamSetter(Shared<HyperParam>(param)), tensor_function_(std::move(function)) {
  if (!tensor_function_) throw UsageError("[HyperParamSetterWithFunc] expected a function, got none");
}

void HyperParamSetterWithFunc::trigger() {
  if (!tensor_function_) return HyperParamSetter::trigger();
  auto& variable = static_cast<GraphVarParam&>(param());
  const at::Tensor old = variable.tensor(), value = tensor_function_(trainer().epoch_num(), old);
  variable.set_tensor(value);
  if (!variable.tensor().equal(old))
    log_info("[{}] At global_step={}, {} changes.", name(), trainer().global_step(), variable.name());
}

std::optional<double> HyperParamSetterWithFunc::get_value_to_set() {
  return function_(trainer().epoch_num(), param().value());
}

}  // namespace belfry
