#pragma once

#include <functional>
#include <utility>

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Produces the datapoints of a list in its order. (`ShuffleData` for another order.)
class DataFromList : public DataFlow {
 public:
  explicit DataFromList(std::vector<Datapoint> list);
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return static_cast<int64_t>(list_->size()); }

 private:
  std::shared_ptr<const std::vector<Datapoint>> list_;
};

/// Produces what a function makes: the way to bring in data of any kind without writing a class.
class DataFromFunction : public DataFlow {
 public:
  /// Makes the next datapoint; nullopt ends the pass.
  using Next = std::function<std::optional<Datapoint>()>;

  /// `start_pass` is called for each pass and returns that pass's `Next`, which holds the pass's position.
  /// `size` is what `size()` tells.
  explicit DataFromFunction(std::function<Next()> start_pass, std::optional<int64_t> size = std::nullopt);
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return size_; }

 private:
  std::function<Next()> start_pass_;
  std::optional<int64_t> size_;
};

/// One component of FakeData.
struct FakeComponent {
  std::vector<int64_t> shape = {};
  at::ScalarType dtype = at::kFloat;
  /// Values are uniform in [low, high), rounded down for integer dtypes.
  double low = 0, high = 1;
};

struct FakeDataOptions {
  int64_t size = 1000;
  /// False: every datapoint is the same one, drawn once for the pass. Drawing may cost more than what is
  /// measured.
  bool random = true;
  uint64_t seed = 0;
};

/// Produces random datapoints of given shapes: for measuring and for tests.
class FakeData : public DataFlow {
 public:
  /// Throws UsageError when the size is negative.
  explicit FakeData(std::vector<FakeComponent> components, FakeDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  std::optional<int64_t> size() const override { return options_.size; }

 private:
  std::vector<FakeComponent> components_;
  FakeDataOptions options_;
};

}  // namespace belfry
