#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Passes over its source `num` times in one pass; -1 for ever. A source that is empty in one of its passes
/// ends it, so it never spins without producing.
class RepeatedData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `num` is neither positive nor -1.
  RepeatedData(AnyDataFlow source, int64_t num);
  DataIterator start_pass(int64_t pass) override;
  /// nullopt when it repeats for ever.
  std::optional<int64_t> size() const override;

 private:
  int64_t num_;
};

/// Produces each datapoint `num` times in a row.
class RepeatedDataPoint : public ProxyDataFlow {
 public:
  /// Throws UsageError when `num` is not positive.
  RepeatedDataPoint(AnyDataFlow source, int64_t num);
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override;

 private:
  int64_t num_;
};

struct FixedSizeDataOptions {
  /// Whether each pass goes on where the one before it stopped in the source, or starts the source anew.
  bool keep_state = true;
};

/// Produces exactly `size` datapoints in each pass, starting its source again as often as needed. A source
/// that produces 1, 2, 3, 4, 5, with size 3: 1, 2, 3 then 4, 5, 1; with `keep_state = false`: 1, 2, 3 then 1,
/// 2, 3.
///
/// With `keep_state` there is one position in the source, shared by all copies: starting a pass while another
/// is not destroyed or at its end is a UsageError. The pass after the one that was started last goes on where
/// that one stopped, early or not; any other begins where it would if all before it had reached their end.
/// An empty source is a DataError.
class FixedSizeData : public ProxyDataFlow {
 public:
  /// Throws UsageError when `size` is negative.
  FixedSizeData(AnyDataFlow source, int64_t size, FixedSizeDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return size_; }
  /// Throws UsageError while a pass with `keep_state` runs.
  void reset_state() override;

 private:
  struct Position;
  struct FixedSizePass;
  int64_t size_;
  std::shared_ptr<Position> kept_;  // null without keep_state
};

}  // namespace belfry
