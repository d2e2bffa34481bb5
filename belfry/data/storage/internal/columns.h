#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "belfry/dataflow/dataflow.h"

namespace belfry::internal {

/// The datapoints of one pass as one tensor for each component, [datapoints, …], dense on the CPU. Throws
/// UsageError, as `who`, when there is no datapoint, or the datapoints differ in their number of components
/// or a component in shape or type.
std::vector<at::Tensor> columns_of(DataFlow& flow, std::string_view who);

/// The rows of tensors as datapoints, in a new random order in each pass with `shuffle`.
std::shared_ptr<DataFlow> flow_of_columns(std::vector<at::Tensor> columns, bool shuffle, uint64_t seed);

}  // namespace belfry::internal
