#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct PrintDataOptions {
  /// How many datapoints of the dataflow's life are shown, from the first on.
  int64_t num = 1;
  /// Names the dataflow in the output.
  std::string name = "";
  /// Where the text goes, one call for each datapoint; empty: to the log, as information.
  std::function<void(std::string_view)> print = {};
};

/// Shows the first datapoints, with dtype, shape, smallest and largest value of each component, and passes
/// everything on unchanged:
///
///     Contents of DataFlow (train): datapoint 0/1 with 2 components consists of
///       0: Float [28, 28, 1] in range [0, 1]
///       1: Long with value 5
class PrintData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `num` is negative.
  explicit PrintData(AnyDataFlow source, PrintDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  /// Also shows the first datapoints again.
  void reset_state() override;

 private:
  PrintDataOptions options_;
  std::shared_ptr<std::atomic<int64_t>> shown_ = std::make_shared<std::atomic<int64_t>>(0);
};

struct TestDataSpeedOptions {
  /// How many datapoints are timed, at most: fewer when the pass ends.
  int64_t size = 5000;
  /// How many are taken before.
  int64_t warmup = 0;
};

/// Measures how fast a dataflow produces. Each pass first measures another one, with the same number, and
/// logs the result; then it produces normally.
class TestDataSpeed : public ProxyDataFlow {
 public:
  struct Result {
    int64_t datapoints = 0;
    std::chrono::duration<double> time{0};
    double datapoints_per_second() const;
  };

  /// Throws UsageError when a number is negative or the size zero.
  explicit TestDataSpeed(AnyDataFlow source, TestDataSpeedOptions options = {});
  DataIterator start_pass(int64_t pass) override;

  /// Only measures: in a new pass, which is thrown away. Logs the result too.
  Result start();

 private:
  Result measure(DataIterator pass) const;

  TestDataSpeedOptions options_;
};

}  // namespace belfry
