#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Produces the datapoints of its first source, then those of the second, and so on. A source may be given
/// more than once. Pass n consists of pass n of each source.
class ConcatData : public DataFlow {
 public:
  explicit ConcatData(std::vector<AnyDataFlow> sources);
  DataIterator start_pass(int64_t pass) override;
  /// The sum; nullopt when a source's size is not known.
  std::optional<int64_t> size() const override;
  bool can_resume() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;
};

/// Puts the components of one datapoint of each source into one datapoint: {a, b} and {c} make {a, b, c}.
/// Of components with names the result has all names. Ends with the first source that ends. Pass n joins pass
/// n of each source: sources of the same size that are shuffled with the same seed stay in step, and a source
/// that is to be paired with another order of itself needs another seed.
///
/// A name in two sources, and sources with names beside sources without, are a DataError.
class JoinData : public DataFlow {
 public:
  /// Throws UsageError when `sources` is empty. Logs a warning when sources of known sizes differ.
  explicit JoinData(std::vector<AnyDataFlow> sources);
  DataIterator start_pass(int64_t pass) override;
  /// The smallest; nullopt when a source's size is not known.
  std::optional<int64_t> size() const override;
  bool can_resume() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;
};

}  // namespace belfry
