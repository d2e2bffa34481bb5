#include "belfry/dataflow/batch_data.h"

#include <ATen/ops/stack.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "belfry/base/error.h"

namespace belfry {
namespace {

std::string describe(const at::Tensor& tensor) {
  return fmt::format("{} [{}]", c10::toString(tensor.scalar_type()), fmt::join(tensor.sizes(), ", "));
}

// `columns[c]` holds component c of each datapoint of the batch.
void add(const Datapoint& datapoint, std::vector<std::vector<at::Tensor>>& columns, int64_t index) {
  if (index == 0) columns.resize(datapoint.size());
  if (datapoint.size() != columns.size()) {
    throw DataError(fmt::format(
        "[BatchData] expected {} components as in the batch's first datapoint, got {} in datapoint {} of it",
        columns.size(), datapoint.size(), index));
  }
  for (size_t c = 0; c < datapoint.size(); ++c) {
    const at::Tensor& value = datapoint[c];
    if (!value.defined()) {
      throw DataError(fmt::format(
          "[BatchData] expected a tensor as component {}, got an undefined one in datapoint {} of a batch", c,
          index));
    }
    if (index > 0) {
      const at::Tensor& first = columns[c].front();
      if (value.sizes() != first.sizes() || value.scalar_type() != first.scalar_type()) {
        throw DataError(
            fmt::format("[BatchData] expected component {} to be {} as in the batch's first datapoint, got "
                        "{} in datapoint {} of it",
                        c, describe(first), describe(value), index));
      }
    }
    columns[c].push_back(value);
  }
}

struct BatchPass {
  std::optional<Datapoint> next() {
    std::vector<std::vector<at::Tensor>> columns;
    int64_t count = 0;
    while (count < batch_size) {
      std::optional<Datapoint> datapoint = source.next();
      if (!datapoint) break;
      add(*datapoint, columns, count++);
    }
    if (count == 0 || (count < batch_size && !remainder)) return std::nullopt;
    Datapoint batch;
    batch.reserve(columns.size());
    for (const auto& column : columns) batch.push_back(at::stack(column));
    return batch;
  }

  int64_t skip(int64_t count) {
    const int64_t most = std::numeric_limits<int64_t>::max() / batch_size;
    const int64_t skipped = source.skip(std::min(count, most) * batch_size);
    return skipped / batch_size + (remainder && skipped % batch_size != 0);
  }

  DataIterator source;
  int64_t batch_size;
  bool remainder;
};

}  // namespace

BatchData::BatchData(AnyDataFlow source, int64_t batch_size, BatchDataOptions options)
    : ProxyDataFlow(std::move(source)), batch_size_(batch_size), options_(options) {
  if (batch_size_ <= 0)
    throw UsageError(fmt::format("[BatchData] expected batch_size > 0, got {}", batch_size_));
  if (std::optional<int64_t> n = source_->size(); n && *n < batch_size_ && !options_.remainder) {
    throw UsageError(
        fmt::format("[BatchData] expected batch_size <= {}, the size of the source, or remainder = true, got "
                    "batch_size {}",
                    *n, batch_size_));
  }
}

std::optional<int64_t> BatchData::size() const {
  std::optional<int64_t> n = source_->size();
  if (!n) return std::nullopt;
  return *n / batch_size_ + (options_.remainder && *n % batch_size_ != 0);
}

DataIterator BatchData::start_pass(int64_t pass) {
  return DataIterator(BatchPass{source_->start_pass(pass), batch_size_, options_.remainder});
}

}  // namespace belfry
