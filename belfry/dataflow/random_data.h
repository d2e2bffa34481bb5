#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct RandomChooseDataOptions {
  /// How likely each source is; any positive numbers, which are divided by their sum. Empty: all alike.
  std::vector<double> probabilities = {};
  uint64_t seed = 0;
};

/// Takes each datapoint from a source chosen at random. Ends when the chosen source has ended. Pass n takes
/// from pass n of each source.
class RandomChooseData : public DataFlow {
 public:
  /// Throws UsageError when there is no source, or there are probabilities but not one for each source, or
  /// one is not positive or not finite.
  explicit RandomChooseData(std::vector<AnyDataFlow> sources, RandomChooseDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  bool can_resume() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;
  RandomChooseDataOptions options_;
};

struct RandomMixDataOptions {
  uint64_t seed = 0;
};

/// Mixes the datapoints of its sources, each once, at random: all orders that keep the order within each
/// source are equally likely. Pass n takes from pass n of each source.
class RandomMixData : public DataFlow {
 public:
  /// Throws UsageError when there is no source or the size of one is not known.
  explicit RandomMixData(std::vector<AnyDataFlow> sources, RandomMixDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  /// The sum of the sources' sizes.
  std::optional<int64_t> size() const override;
  bool can_resume() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;
  RandomMixDataOptions options_;
};

}  // namespace belfry
