#include "belfry/dataflow/dataflow.h"

#include "belfry/base/error.h"

namespace belfry {

std::optional<Datapoint> DataIterator::next() {
  if (!pass_) return std::nullopt;
  try {
    std::optional<Datapoint> datapoint = pass_->next();
    if (!datapoint) pass_.reset();
    return datapoint;
  } catch (...) {
    pass_.reset();
    throw;
  }
}

AnyDataFlow::AnyDataFlow(std::shared_ptr<DataFlow> flow) : flow_(std::move(flow)) {
  if (!flow_) throw UsageError("[AnyDataFlow] expected a dataflow, got a null pointer");
}

}  // namespace belfry
