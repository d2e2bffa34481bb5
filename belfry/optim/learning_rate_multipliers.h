#pragma once

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/variable.h"

namespace belfry {

/// Factors of the learning rate of single variables: for each the number beside the first pattern
/// (ECMAScript) that matches its whole name, else 1.
///
///     Adam({.learning_rate = 1e-3, .learning_rate_multipliers = {{".*/b", 2.0}, {"backbone/.*", 0.1}}})
///
/// 0 keeps a variable as it is, while its slots go on. Unlike ScaleGradient they do what they say with every
/// optimizer, and are not seen by what looks at gradients.
class LearningRateMultipliers {
 public:
  using List = std::vector<std::pair<std::string, double>>;

  LearningRateMultipliers() = default;
  /// Throws UsageError for what is no regular expression, and a number below 0 or that is not finite.
  LearningRateMultipliers(List multipliers);
  LearningRateMultipliers(std::initializer_list<List::value_type> multipliers)
      : LearningRateMultipliers(List(multipliers)) {}

  /// The factor of each variable; none when all are 1. Warns of patterns that match no name.
  std::vector<double> of(const std::vector<Variable>& variables) const;

 private:
  List multipliers_;
};

}  // namespace belfry
