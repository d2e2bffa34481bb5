#include "belfry/input/dataflow_input.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/base/error.h"

namespace belfry {

void DataFlowInput::on_setup() {
  for (const TensorSpec& spec : signature()) placeholders_.push_back(build_or_reuse_placeholder(spec));
}

DataIterator DataFlowInput::new_pass() const {
  if (!infinite_) return dataflow_->iterator();
  return DataIterator(
      [who = name(), flow = dataflow_, pass = dataflow_->iterator()]() mutable -> std::optional<Datapoint> {
        if (auto datapoint = pass.next()) return datapoint;
        pass = flow->iterator();
        if (auto datapoint = pass.next()) return datapoint;
        throw DataError(fmt::format("[{}] expected data, got a dataflow that is empty", who));
      });
}

void DataFlowInput::check(const Datapoint& datapoint) const {
  if (datapoint.size() == signature().size()) return;
  std::vector<std::string> names;
  for (const TensorSpec& spec : signature()) names.push_back(spec.name);
  throw UsageError(fmt::format("[{}] expected datapoints of {} components ({}), got {}", name(), names.size(),
                               fmt::join(names, ", "), datapoint.size()));
}

}  // namespace belfry
