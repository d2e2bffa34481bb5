#include "belfry/optim/learning_rate_multipliers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <regex>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry {
namespace {

std::regex parse(const std::string& pattern) {
  try {
    return std::regex(pattern);
  } catch (const std::regex_error& e) {
    throw UsageError(fmt::format("[LearningRateMultipliers] expected a regular expression, got '{}': {}",
                                 pattern, e.what()));
  }
}

}  // namespace

LearningRateMultipliers::LearningRateMultipliers(List multipliers) : multipliers_(std::move(multipliers)) {
  for (const auto& [pattern, multiplier] : multipliers_) {
    parse(pattern);
    if (!(multiplier >= 0) || std::isinf(multiplier)) {
      throw UsageError(
          fmt::format("[LearningRateMultipliers] expected a finite number of at least 0 for '{}', got {}",
                      pattern, multiplier));
    }
  }
}

std::vector<double> LearningRateMultipliers::of(const std::vector<Variable>& variables) const {
  std::vector<double> result(variables.size(), 1);
  std::vector<bool> found(variables.size(), false);
  for (const auto& [pattern, multiplier] : multipliers_) {
    const std::regex regex = parse(pattern);
    bool matched = false;
    for (size_t i = 0; i < variables.size(); ++i) {
      if (!std::regex_match(variables[i].name(), regex)) continue;
      matched = true;
      if (found[i]) continue;
      found[i] = true;
      result[i] = multiplier;
      log_info("The learning rate of '{}' is multiplied by {}", variables[i].name(), multiplier);
    }
    if (!matched) log_warning("[LearningRateMultipliers] no variable matches '{}'", pattern);
  }
  const bool all_one = std::ranges::all_of(result, [](double factor) { return factor == 1; });
  return all_one ? std::vector<double>() : result;
}

}  // namespace belfry
