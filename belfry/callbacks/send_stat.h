#pragma once

#include <map>
#include <string>
#include <vector>

#include "belfry/loop/monitor.h"

namespace belfry {

/// Runs a command of the shell with the newest values of statistics whenever it is triggered: a message to a
/// phone, for instance. In the command "{val-error}" stands for a value, "{val-error:.3f}" for one in a
/// format of fmt's, and "{{" for a brace.
///
///     SendStat("notify-send 'validation error {val-error:.4f}'", {"val-error"})
///
/// A value that is missing, or a command that fails, is an error in the log, and training goes on.
class SendStat : public Triggerable {
 public:
  /// Throws UsageError where the command names a statistic that is not in `names`, or no format.
  SendStat(std::string command, std::vector<std::string> names);

  std::string name() const override { return "SendStat"; }
  void trigger() override;

 private:
  std::string command_;
  std::vector<std::string> names_;
};

/// The same as a monitor: runs the command after each step, or at the end of an epoch, in which all
/// statistics have got new values since it last ran.
class SendMonitorData : public Monitor {
 public:
  SendMonitorData(std::string command, std::vector<std::string> names);

  std::string name() const override { return "SendMonitorData"; }
  void put_scalar(const std::string& tag, double value, int64_t step) override;
  void trigger_step() override { trigger(); }
  void trigger() override;

 private:
  std::string command_;
  std::vector<std::string> names_;
  std::map<std::string, double> values_;
};

}  // namespace belfry
