#include "belfry/dataflow/data_from_tensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/indexed_pass.h"

namespace belfry {
namespace {

Datapoint row_of(const std::vector<at::Tensor>& tensors, int64_t row) {
  Datapoint datapoint;
  datapoint.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors) datapoint.push_back(tensor.select(0, row));
  return datapoint;
}

struct RowPass {
  std::optional<Datapoint> next() {
    if (row == tensors[0].size(0)) return std::nullopt;
    return row_of(tensors, row++);
  }
  int64_t skip(int64_t count) {
    const int64_t skipped = std::min(count, tensors[0].size(0) - row);
    row += skipped;
    return skipped;
  }

  std::vector<at::Tensor> tensors;
  int64_t row = 0;
};

}  // namespace

DataFromTensors::DataFromTensors(std::vector<at::Tensor> tensors, DataFromTensorsOptions options)
    : tensors_(std::move(tensors)), options_(options) {
  if (tensors_.empty()) throw UsageError("[DataFromTensors] expected at least one tensor, got none");
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (!tensors_[i].defined() || tensors_[i].dim() == 0) {
      throw UsageError(
          fmt::format("[DataFromTensors] expected tensor {} to have rows, got a scalar or nothing", i));
    }
    if (tensors_[i].size(0) != tensors_[0].size(0)) {
      throw UsageError(
          fmt::format("[DataFromTensors] expected tensor {} to have {} rows as tensor 0 has, got [{}]", i,
                      tensors_[0].size(0), fmt::join(tensors_[i].sizes(), ", ")));
    }
  }
}

DataIterator DataFromTensors::start_pass(int64_t pass) {
  if (options_.shuffle) {
    return internal::indexed_pass(*size(), Rng(options_.seed, static_cast<uint64_t>(pass)),
                                  [tensors = tensors_](int64_t row) { return row_of(tensors, row); });
  }
  return DataIterator(RowPass{tensors_});
}

DataFromTensors DataFromTensors::slice(int64_t begin, int64_t end) const {
  if (begin < 0 || begin > end || end > *size()) {
    throw UsageError(
        fmt::format("[DataFromTensors] expected rows within [0, {}), got [{}, {})", *size(), begin, end));
  }
  std::vector<at::Tensor> rows;
  for (const at::Tensor& tensor : tensors_) rows.push_back(tensor.slice(0, begin, end));
  return DataFromTensors(std::move(rows), options_);
}

}  // namespace belfry
