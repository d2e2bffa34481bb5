#include "belfry/summary/scalar_printer.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

namespace belfry {
namespace {

std::vector<std::regex> compile(const std::vector<std::string>& patterns) {
  std::vector<std::regex> result;
  for (const std::string& pattern : patterns) {
    try {
      result.emplace_back(pattern);
    } catch (const std::regex_error& e) {
      throw UsageError(
          fmt::format("[ScalarPrinter] expected a regular expression, got '{}': {}", pattern, e.what()));
    }
  }
  return result;
}

bool matches_one(const std::string& tag, const std::vector<std::regex>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::regex& pattern) { return std::regex_search(tag, pattern); });
}

}  // namespace

ScalarPrinter::ScalarPrinter(const ScalarPrinterOptions& options)
    : enable_step_(options.enable_step),
      enable_epoch_(options.enable_epoch),
      whitelist_(compile(options.whitelist)),
      blacklist_(compile(options.blacklist)) {}

void ScalarPrinter::before_train() {
  trigger();
}

void ScalarPrinter::trigger_step() {
  const bool is_last = trainer().local_step() + 1 == trainer().loop().steps_per_epoch;
  // What the last step brings is printed together with what the epoch's callbacks bring.
  if (enable_step_ && !(is_last && enable_epoch_)) trigger();
}

void ScalarPrinter::trigger_epoch() {
  if (enable_epoch_) trigger();
}

void ScalarPrinter::trigger() {
  for (const auto& [tag, value] : pending_) log_info("{}: {:.5g}", tag, value);
  pending_.clear();
}

void ScalarPrinter::put_scalar(const std::string& tag, double value, int64_t) {
  if (is_wanted(tag)) pending_[tag] = value;
}

bool ScalarPrinter::is_wanted(const std::string& tag) const {
  return (whitelist_.empty() || matches_one(tag, whitelist_)) && !matches_one(tag, blacklist_);
}

}  // namespace belfry
