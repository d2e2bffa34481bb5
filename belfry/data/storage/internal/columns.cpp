#include "belfry/data/storage/internal/columns.h"

#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/dataflow/shuffle_data.h"

namespace belfry::internal {

std::vector<at::Tensor> columns_of(DataFlow& flow, std::string_view who) {
  std::vector<std::vector<at::Tensor>> rows;  // by component
  int64_t count = 0;
  DataIterator datapoints = flow.iterator();
  for (const Datapoint& datapoint : datapoints) {
    if (count == 0) rows.resize(datapoint.size());
    if (datapoint.size() != rows.size()) {
      throw UsageError(fmt::format("[{}] expected {} components in datapoint {}, as in the first, got {}",
                                   who, rows.size(), count, datapoint.size()));
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      if (is_object(datapoint[i])) {
        throw UsageError(fmt::format(
            "[{}] expected a tensor as component {} of datapoint {}, got text or an object", who, i, count));
      }
      rows[i].push_back(dense(datapoint[i]));
      const at::Tensor &first = rows[i][0], &last = rows[i].back();
      if (last.sizes() != first.sizes() || last.scalar_type() != first.scalar_type()) {
        throw UsageError(
            fmt::format("[{}] expected component {} of datapoint {} to be {} [{}], as in the first, "
                        "got {} [{}]",
                        who, i, count, c10::toString(first.scalar_type()), fmt::join(first.sizes(), ", "),
                        c10::toString(last.scalar_type()), fmt::join(last.sizes(), ", ")));
      }
    }
    ++count;
  }
  if (rows.empty()) throw UsageError(fmt::format("[{}] expected at least one datapoint, got none", who));
  std::vector<at::Tensor> columns;
  for (const std::vector<at::Tensor>& tensors : rows) columns.push_back(at::stack(tensors));
  return columns;
}

std::shared_ptr<DataFlow> flow_of_columns(std::vector<at::Tensor> columns, bool shuffle, uint64_t seed) {
  DataFromTensors rows(std::move(columns));
  if (shuffle) return std::make_shared<ShuffleData>(std::move(rows), ShuffleDataOptions{.seed = seed});
  return std::make_shared<DataFromTensors>(std::move(rows));
}

}  // namespace belfry::internal
