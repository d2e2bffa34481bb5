#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

namespace belfry {

/// Counts values as TensorFlow's histogram summaries do: limits at 0, +-1e-12 * 1.1^k up to 1e20, and the
/// largest double; a value belongs to the first limit above it. NaN and infinities are only counted in
/// non_finite.
class Histogram {
 public:
  void add(double value);
  void add(std::span<const float> values);

  double min = 0, max = 0, num = 0, sum = 0, sum_squares = 0;
  uint64_t non_finite = 0;

  /// Upper limits and counts for the file: runs of empty buckets are one bucket.
  struct Buckets {
    std::vector<double> limits, counts;
  };
  Buckets buckets() const;

 private:
  std::map<size_t, double> counts_;  // by index of the limit
};

}  // namespace belfry
