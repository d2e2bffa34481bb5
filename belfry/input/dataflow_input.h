#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "belfry/input/input_source.h"

namespace belfry {

/// An input source whose values come from a dataflow: the components of a datapoint feed placeholders, one
/// for each input, in the order of the signature. The placeholders are named as the inputs, at the root of
/// the graph, and shared with other sources of the same inputs.
class DataFlowInput : public InputSource {
 public:
  std::vector<Tensor> input_tensors() override { return placeholders_; }
  std::vector<Tensor> feed_tensors() const override { return placeholders_; }
  /// The dataflow's size, whether the source repeats it or not.
  std::optional<int64_t> size() const override { return dataflow_->size(); }
  bool is_finite() const override { return !infinite_; }

 protected:
  /// `infinite`: pass over the dataflow again and again.
  DataFlowInput(AnyDataFlow dataflow, bool infinite) : dataflow_(std::move(dataflow)), infinite_(infinite) {}

  void on_setup() override;
  /// A new pass; an infinite one throws DataError when the dataflow turns out empty.
  DataIterator new_pass() const;
  /// Throws UsageError unless `datapoint` has one component for each input.
  void check(const Datapoint& datapoint) const;

 private:
  AnyDataFlow dataflow_;
  bool infinite_;
  std::vector<Tensor> placeholders_;
};

}  // namespace belfry
