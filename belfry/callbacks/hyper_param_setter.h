#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/callbacks/hyper_param.h"
#include "belfry/loop/callback.h"

namespace belfry {

/// Base of callbacks that set a hyper-parameter before training and whenever they are triggered. Changes are
/// logged, at most once an epoch.
class HyperParamSetter : public Callback {
 public:
  void setup_graph() override;
  void before_train() override { trigger(); }
  void trigger() override;
  bool chief_only() const override { return false; }

 protected:
  /// A string stands for GraphVarParam of that name.
  explicit HyperParamSetter(std::string variable_name);
  explicit HyperParamSetter(Shared<HyperParam> param);

  /// The value to set now; none: leave it.
  virtual std::optional<double> get_value_to_set() = 0;

  /// Sets the value and logs the change.
  void set(double value);
  HyperParam& param() const { return *param_; }

 private:
  Shared<HyperParam> param_;
  std::optional<double> last_value_;
  int64_t last_epoch_logged_ = -1;
};

struct ScheduleOptions {
  /// Between two entries the value moves linearly from one to the other; otherwise it jumps at each.
  bool linear = false;
  /// The schedule counts steps rather than epochs.
  bool step_based = false;
  /// When training starts between two entries, set the value that the schedule then asks for; otherwise only
  /// warn when the value is another.
  bool set_at_beginning = true;
};

/// Sets a hyper-parameter at given epochs (or steps). The entry {30, 1e-3} sets 1e-3 after epoch 30 has
/// ended; epoch 0 means before the first.
///
///     ScheduledHyperParamSetter("learning_rate", {{0, 1e-2}, {30, 1e-3}, {60, 1e-4}})
class ScheduledHyperParamSetter : public HyperParamSetter {
 public:
  using Schedule = std::vector<std::pair<int64_t, double>>;

  /// `schedule` may be in any order. Throws UsageError when a point appears twice.
  ScheduledHyperParamSetter(std::string variable_name, Schedule schedule, ScheduleOptions options = {});
  ScheduledHyperParamSetter(Shared<HyperParam> param, Schedule schedule, ScheduleOptions options = {});

  std::string name() const override { return "ScheduledHyperParamSetter"; }
  void before_train() override;
  void trigger_step() override;
  void trigger_epoch() override;

 protected:
  std::optional<double> get_value_to_set() override { return value_at(current_point()); }

 private:
  int64_t current_point() const;
  /// What the schedule sets at exactly that point.
  std::optional<double> value_at(int64_t point) const;
  /// What the schedule has the parameter be at that point.
  std::optional<double> value_in_force(int64_t point) const;

  Schedule schedule_;
  ScheduleOptions options_;
};

/// Sets a hyper-parameter to a function of the number of epochs that are done and its value:
///
///     HyperParamSetterWithFunc("learning_rate", [](int64_t epoch, double rate) {
///       return epoch % 2 == 0 ? rate * 0.9 : rate;
///     })
class HyperParamSetterWithFunc : public HyperParamSetter {
 public:
  using Function = std::function<double(int64_t epoch_num, double old_value)>;
  using TensorFunction = std::function<at::Tensor(int64_t epoch_num, const at::Tensor& old_value)>;

  /// Throws UsageError where the function is none.
  HyperParamSetterWithFunc(std::string variable_name, Function function);
  HyperParamSetterWithFunc(Shared<HyperParam> param, Function function);
  /// For a variable that is no scalar: `HyperParamSetterWithFunc(GraphVarParam("weights", {3}), function)`.
  HyperParamSetterWithFunc(const GraphVarParam& param, TensorFunction function);

  std::string name() const override { return "HyperParamSetterWithFunc"; }
  void trigger() override;

 protected:
  std::optional<double> get_value_to_set() override;

 private:
  Function function_;
  TensorFunction tensor_function_;  ///< or none
};

}  // namespace belfry
