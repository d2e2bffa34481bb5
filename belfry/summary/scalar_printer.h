#pragma once

#include <map>
#include <regex>
#include <string>
#include <vector>

#include "belfry/loop/monitor.h"

namespace belfry {

struct ScalarPrinterOptions {
  /// When to print what has come in since the last time.
  bool enable_step = false;
  bool enable_epoch = true;
  /// Regular expressions (ECMAScript) searched for in tags. A tag is printed when it matches one of
  /// `whitelist` (or that is empty) and none of `blacklist`.
  std::vector<std::string> whitelist = {};
  std::vector<std::string> blacklist = {};
};

/// Writes scalars to the log, a line for each, sorted by tag: "val-error: 0.0213".
class ScalarPrinter : public Monitor {
 public:
  /// Throws UsageError for an expression that is not valid.
  explicit ScalarPrinter(const ScalarPrinterOptions& options = {});

  std::string name() const override { return "ScalarPrinter"; }
  void before_train() override;
  void trigger_step() override;
  void trigger_epoch() override;
  void trigger() override;
  void put_scalar(const std::string& tag, double value, int64_t step) override;

 private:
  bool is_wanted(const std::string& tag) const;

  bool enable_step_, enable_epoch_;
  std::vector<std::regex> whitelist_, blacklist_;
  std::map<std::string, double> pending_;
};

}  // namespace belfry
