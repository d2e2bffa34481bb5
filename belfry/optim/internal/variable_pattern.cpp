#include "belfry/optim/internal/variable_pattern.h"

#include <fmt/format.h>

#include "belfry/base/error.h"

namespace belfry::internal {

VariablePattern::VariablePattern(const std::string& who, const std::string& pattern) try : pattern_(pattern) {
} catch (const std::regex_error& e) {
  throw UsageError(fmt::format("[{}] expected a regular expression, got '{}': {}", who, pattern, e.what()));
}

}  // namespace belfry::internal
