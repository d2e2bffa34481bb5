#include "belfry/base/stats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "belfry/base/error.h"

namespace belfry {
namespace {

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

void StatCounter::check(const char* what) const {
  if (values_.empty()) throw UsageError(fmt::format("[StatCounter] expected values for {}, got none", what));
}

// Kahan's sum, with Neumaier's change: the digits that each addition loses are kept in `lost`.
double StatCounter::sum() const {
  check("sum");
  double sum = 0, lost = 0;
  for (double value : values_) {
    const double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  // Infinities lose "NaN".
  return std::isfinite(sum) ? sum + lost : sum;
}

double StatCounter::average() const {
  check("average");
  return sum() / static_cast<double>(count());
}

double StatCounter::max() const {
  check("max");
  return *std::max_element(values_.begin(), values_.end());
}

double StatCounter::min() const {
  check("min");
  return *std::min_element(values_.begin(), values_.end());
}

double BinaryStatistics::precision() const {
  return ratio(counts_[1][1], predicted_positives());
}
double BinaryStatistics::recall() const {
  return ratio(counts_[1][1], positives());
}
double BinaryStatistics::false_positive() const {
  return predicted_positives() == 0 ? 0 : 1 - precision();
}
double BinaryStatistics::false_negative() const {
  return positives() == 0 ? 0 : 1 - recall();
}

OnlineMoments::OnlineMoments(int64_t size) {
  if (size < 0) throw UsageError(fmt::format("[OnlineMoments] expected a size >= 0, got {}", size));
  means_.resize(static_cast<size_t>(size));
  squares_.resize(static_cast<size_t>(size));
}

void OnlineMoments::feed(const std::vector<double>& values) {
  if (values.size() != means_.size())
    throw UsageError(
        fmt::format("[OnlineMoments] expected {} numbers, got {}", means_.size(), values.size()));
  ++count_;
  for (size_t i = 0; i < values.size(); ++i) {
    const double from_old_mean = values[i] - means_[i];
    means_[i] += from_old_mean / static_cast<double>(count_);
    squares_[i] += from_old_mean * (values[i] - means_[i]);
  }
}

std::vector<double> OnlineMoments::variances() const {
  if (count_ < 2)
    throw UsageError(
        fmt::format("[OnlineMoments] expected two values or more for the variance, got {}", count_));
  std::vector<double> variances = squares_;
  for (double& variance : variances) variance /= static_cast<double>(count_ - 1);
  return variances;
}

std::vector<double> OnlineMoments::stds() const {
  std::vector<double> stds = variances();
  for (double& std : stds) std = std::sqrt(std);
  return stds;
}

}  // namespace belfry
