#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/input/input_source.h"

namespace belfry {

/// An input source whose values come from a dataflow: the components of a datapoint feed placeholders, one
/// for each input, in the order of the signature; components with names by the inputs' names, and those that
/// no input has are left out. The placeholders are named as the inputs, at the root of
/// the graph, and shared with other sources of the same inputs.
class DataFlowInput : public InputSource {
 public:
  std::vector<Tensor> input_tensors() override { return placeholders_; }
  std::vector<Tensor> feed_tensors() const override { return placeholders_; }
  /// The dataflow's size, whether the source repeats it or not.
  std::optional<int64_t> size() const override { return dataflow_->size(); }
  bool is_finite() const override { return !infinite_; }
  /// nullopt also where the dataflow cannot resume.
  std::optional<DataPosition> position() const override { return position_; }
  bool resume_at(const DataPosition& position) override;

 protected:
  /// `infinite`: pass over the dataflow again and again.
  DataFlowInput(AnyDataFlow dataflow, bool infinite)
      : dataflow_(std::move(dataflow)), infinite_(infinite), can_resume_(dataflow_->can_resume()) {}

  void on_setup() override;
  /// The datapoints that a source hands out from one reset_state() to the next.
  class Pass {
   public:
    /// nullopt at the end of a finite one. An infinite one throws DataError when the dataflow turns out
    /// empty.
    std::optional<Datapoint> next();
    const DataPosition& position() const { return now_.position(); }

   private:
    friend class DataFlowInput;
    Pass(std::string who, AnyDataFlow dataflow, bool infinite, DataIterator now)
        : who_(std::move(who)), dataflow_(std::move(dataflow)), infinite_(infinite), now_(std::move(now)) {}

    std::string who_;
    AnyDataFlow dataflow_;
    bool infinite_;
    DataIterator now_;
  };
  /// A new pass, or one in the middle of the data after resume_at.
  Pass new_pass();
  /// Everything before `position` has been handed out.
  void taken_up_to(const DataPosition& position);
  /// The component of each input, in their order. Throws UsageError unless `datapoint` has one for each.
  Datapoint for_inputs(Datapoint datapoint) const;

 private:
  AnyDataFlow dataflow_;
  bool infinite_, can_resume_;
  std::vector<Tensor> placeholders_;
  std::optional<DataPosition> start_, position_;
};

}  // namespace belfry
