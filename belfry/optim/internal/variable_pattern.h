#pragma once

#include <regex>
#include <string>

#include "belfry/graph/variable.h"

namespace belfry::internal {

/// A regular expression (ECMAScript) for whole names of variables.
class VariablePattern {
 public:
  /// Throws UsageError for what is none, in the name of `who`.
  VariablePattern(const std::string& who, const std::string& pattern);
  bool matches(const Variable& variable) const { return std::regex_match(variable.name(), pattern_); }

 private:
  std::regex pattern_;
};

}  // namespace belfry::internal
