#pragma once

#include <cstdint>
#include <vector>

namespace belfry {

// Statistics of numbers as they come, by tensorpack's names. None is safe to use from several threads at
// once.

/// Keeps all values.
class StatCounter {
 public:
  void feed(double value) { values_.push_back(value); }
  void reset() { values_.clear(); }

  int64_t count() const { return static_cast<int64_t>(values_.size()); }
  /// These throw UsageError when there are no values. average() is exact to the last digits for any number of
  /// them.
  double average() const;
  double sum() const;
  double max() const;
  double min() const;
  const std::vector<double>& samples() const { return values_; }

 private:
  void check(const char* what) const;

  std::vector<double> values_;
};

/// Which part of all were what is counted.
class RatioCounter {
 public:
  void feed(int64_t count, int64_t total = 1) {
    count_ += count;
    total_ += total;
  }
  void reset() { count_ = total_ = 0; }

  /// 0 of nothing.
  double ratio() const { return total_ == 0 ? 0 : static_cast<double>(count_) / static_cast<double>(total_); }
  int64_t count() const { return count_; }
  int64_t total() const { return total_; }

 private:
  int64_t count_ = 0, total_ = 0;
};

/// A RatioCounter of right answers.
class Accuracy : public RatioCounter {
 public:
  double accuracy() const { return ratio(); }
};

/// Of decisions between yes and no. All ratios are 0 where there is nothing to divide by.
class BinaryStatistics {
 public:
  /// `prediction` was said `count` times where `label` is right.
  void feed(bool prediction, bool label, int64_t count = 1) { counts_[prediction][label] += count; }
  void reset() { *this = {}; }

  /// Which part of what was predicted is right, and which part of what is right was predicted.
  double precision() const;
  double recall() const;
  /// 1 - precision and 1 - recall.
  double false_positive() const;
  double false_negative() const;

  int64_t positives() const { return counts_[0][1] + counts_[1][1]; }
  int64_t negatives() const { return counts_[0][0] + counts_[1][0]; }
  int64_t predicted_positives() const { return counts_[1][0] + counts_[1][1]; }
  int64_t predicted_negatives() const { return counts_[0][0] + counts_[0][1]; }

 private:
  int64_t counts_[2][2] = {};  // [prediction][label]
};

/// Mean and variance without keeping the values (Welford's way), one of each for values of `size` numbers.
class OnlineMoments {
 public:
  /// Of single numbers.
  OnlineMoments() : OnlineMoments(1) {}
  /// Of vectors. Throws UsageError when `size` is negative.
  explicit OnlineMoments(int64_t size);

  void feed(double value) { feed(std::vector<double>{value}); }
  /// Throws UsageError when there are not `size` numbers.
  void feed(const std::vector<double>& values);

  int64_t count() const { return count_; }
  /// These are of the first number.
  double mean() const { return means().at(0); }
  double variance() const { return variances().at(0); }
  double std() const { return stds().at(0); }
  /// 0 before the first value.
  const std::vector<double>& means() const { return means_; }
  /// Of a sample: divided by count - 1. Throws UsageError for fewer than two values.
  std::vector<double> variances() const;
  std::vector<double> stds() const;

 private:
  int64_t count_ = 0;
  std::vector<double> means_, squares_;  // squares_: sums of squared distances from the mean
};

}  // namespace belfry
