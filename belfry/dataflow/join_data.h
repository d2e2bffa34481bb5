#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

/// Produces the datapoints of its first source, then those of the second, and so on. A source may be given
/// more than once.
class ConcatData : public DataFlow {
 public:
  explicit ConcatData(std::vector<AnyDataFlow> sources);
  DataIterator iterator() override;
  /// The sum; nullopt when a source's size is not known.
  std::optional<int64_t> size() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;
};

/// Puts the components of one datapoint of each source into one datapoint: {a, b} and {c} make {a, b, c}.
/// Ends with the first source that ends. A source may be given more than once: each has its own pass.
class JoinData : public DataFlow {
 public:
  /// Throws UsageError when `sources` is empty. Logs a warning when sources of known sizes differ.
  explicit JoinData(std::vector<AnyDataFlow> sources);
  DataIterator iterator() override;
  /// The smallest; nullopt when a source's size is not known.
  std::optional<int64_t> size() const override;
  void reset_state() override;

 private:
  std::vector<AnyDataFlow> sources_;
};

}  // namespace belfry
