#include "belfry/callbacks/send_stat.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

using Values = std::map<std::string, double>;

/// The text of "tag" or "tag:format". Tags may hold colons: the longest that is known is meant.
std::string replacement(const std::string& field, const Values& values) {
  for (size_t end = field.size(); end != std::string::npos; end = end ? field.rfind(':', end - 1) : end) {
    const auto found = values.find(field.substr(0, end));
    if (found == values.end()) continue;
    const std::string format = fmt::format("{{{}}}", field.substr(end));
    try {
      return fmt::format(fmt::runtime(format), found->second);
    } catch (const fmt::format_error& e) {
      throw UsageError(fmt::format("expected a format for a number in '{{{}}}', got one that is none: {}",
                                   field, e.what()));
    }
  }
  throw UsageError(fmt::format("expected the name of a statistic in braces, got '{{{}}}'", field));
}

std::string fill(const std::string& command, const Values& values) {
  std::string text;
  for (size_t i = 0; i < command.size(); ++i) {
    const bool twice = i + 1 < command.size() && command[i + 1] == command[i];
    if ((command[i] == '{' || command[i] == '}') && twice) {
      text += command[i++];
    } else if (command[i] == '{') {
      const size_t end = command.find('}', i);
      if (end == std::string::npos) throw UsageError("expected a closing brace, got none");
      text += replacement(command.substr(i + 1, end - i - 1), values);
      i = end;
    } else {
      text += command[i];
    }
  }
  return text;
}

void check(const std::string& who, const std::string& command, const std::vector<std::string>& names) {
  Values zeros;
  for (const std::string& name : names) zeros[name] = 0;
  try {
    fill(command, zeros);
  } catch (const UsageError& e) {
    throw UsageError(fmt::format("[{}] {}", who, e.what()));
  }
}

void run(const std::string& who, const std::string& command) {
  const int status = std::system(command.c_str());
  if (status == 0) return;
  log_error("[{}] the command '{}' failed with {}", who, command,
            WIFEXITED(status) ? WEXITSTATUS(status) : status);
}

}  // namespace

SendStat::SendStat(std::string command, std::vector<std::string> names)
    : command_(std::move(command)), names_(std::move(names)) {
  check("SendStat", command_, names_);
}

void SendStat::trigger() {
  Values values;
  for (const std::string& name : names_) {
    const auto latest = trainer().monitors().get_latest(name);
    if (!latest) {
      log_error("[SendStat] there is no value of '{}' to send; there are {}", name,
                fmt::join(trainer().monitors().tags(), ", "));
      return;
    }
    values[name] = latest->value;
  }
  run("SendStat", fill(command_, values));
}

SendMonitorData::SendMonitorData(std::string command, std::vector<std::string> names)
    : command_(std::move(command)), names_(std::move(names)) {
  check("SendMonitorData", command_, names_);
}

void SendMonitorData::put_scalar(const std::string& tag, double value, int64_t) {
  if (std::ranges::count(names_, tag)) values_[tag] = value;
}

void SendMonitorData::trigger() {
  if (values_.empty() || values_.size() < names_.size()) return;
  run("SendMonitorData", fill(command_, values_));
  values_.clear();
}

}  // namespace belfry
