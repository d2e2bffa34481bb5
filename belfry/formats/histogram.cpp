#include "belfry/formats/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace belfry {
namespace {

std::vector<double> make_limits() {
  std::vector<double> positive;
  for (double limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push_back(limit);
  positive.push_back(std::numeric_limits<double>::max());
  std::vector<double> limits(positive.rbegin(), positive.rend());
  for (double& limit : limits) limit = -limit;
  limits.push_back(0);
  limits.insert(limits.end(), positive.begin(), positive.end());
  return limits;
}

const std::vector<double>& limits() {
  static const std::vector<double> limits = make_limits();
  return limits;
}

}  // namespace

void Histogram::add(double value) {
  if (!std::isfinite(value)) {
    ++non_finite;
    return;
  }
  // The largest double has no limit above it and stays in the last bucket.
  auto limit = std::upper_bound(limits().begin(), limits().end() - 1, value);
  ++counts_[static_cast<size_t>(limit - limits().begin())];
  min = num == 0 ? value : std::min(min, value);
  max = num == 0 ? value : std::max(max, value);
  ++num;
  sum += value;
  sum_squares += value * value;
}

void Histogram::add(std::span<const float> values) {
  for (float value : values) add(static_cast<double>(value));
}

Histogram::Buckets Histogram::buckets() const {
  Buckets out;
  size_t next = 0;  // the first limit that is not yet covered
  for (const auto& [index, count] : counts_) {
    if (index > next) {
      out.limits.push_back(limits()[index - 1]);
      out.counts.push_back(0);
    }
    out.limits.push_back(limits()[index]);
    out.counts.push_back(count);
    next = index + 1;
  }
  if (next < limits().size()) {
    out.limits.push_back(limits().back());
    out.counts.push_back(0);
  }
  return out;
}

}  // namespace belfry
