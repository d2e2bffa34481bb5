#include "belfry/input/dataflow_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry {

void DataFlowInput::on_setup() {
  for (const TensorSpec& spec : signature()) placeholders_.push_back(build_or_reuse_placeholder(spec));
}

bool DataFlowInput::resume_at(const DataPosition& position) {
  if (!can_resume_) return false;
  start_ = position;
  return true;
}

DataFlowInput::Pass DataFlowInput::new_pass() {
  const auto begin = [this] {
    const std::optional<DataPosition> start = std::exchange(start_, {});
    if (!start) return dataflow_->iterator();
    try {
      return dataflow_->iterator_at(*start);
    } catch (const UsageError& e) {
      // The data is no longer what it was.
      log_warning(
          "[{}] the data cannot go on where it was, with datapoint {} of pass {}; the next pass begins: {}",
          name(), start->index, start->pass, e.what());
      return dataflow_->iterator();
    }
  };
  Pass pass(name(), dataflow_, infinite_, begin());
  position_.reset();
  taken_up_to(pass.position());
  return pass;
}

std::optional<Datapoint> DataFlowInput::Pass::next() {
  if (auto datapoint = now_.next()) return datapoint;
  if (!infinite_) return std::nullopt;
  now_ = dataflow_->iterator();
  if (auto datapoint = now_.next()) return datapoint;
  throw DataError(fmt::format("[{}] expected data, got a dataflow that is empty", who_));
}

void DataFlowInput::taken_up_to(const DataPosition& position) {
  if (can_resume_) position_ = position;
}

Datapoint DataFlowInput::for_inputs(Datapoint datapoint) const {
  const std::vector<TensorSpec>& inputs = signature();
  if (datapoint.has_names()) {
    Datapoint chosen;
    chosen.reserve(inputs.size());
    for (const TensorSpec& spec : inputs) {
      at::Tensor* component = datapoint.find(spec.name);
      if (!component) {
        throw UsageError(fmt::format("[{}] expected datapoints with a component '{}', got {}", name(),
                                     spec.name, fmt::join(datapoint.names(), ", ")));
      }
      chosen.push_back(*component);
    }
    datapoint = std::move(chosen);
  }
  if (datapoint.size() != inputs.size()) {
    std::vector<std::string> names;
    for (const TensorSpec& spec : inputs) names.push_back(spec.name);
    throw UsageError(fmt::format("[{}] expected datapoints of {} components ({}), got {}", name(),
                                 names.size(), fmt::join(names, ", "), datapoint.size()));
  }
  return datapoint;
}

}  // namespace belfry
