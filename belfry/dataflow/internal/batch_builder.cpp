#include "belfry/dataflow/internal/batch_builder.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/describe.h"
#include "belfry/dataflow/object_component.h"

namespace belfry::internal {

void check_pinned(bool pinned, std::string_view stage) {
  if (pinned && !at::hasCUDA())
    throw UsageError(
        fmt::format("[{}] expected CUDA for pinned memory, got a machine or a LibTorch without", stage));
}

void BatchBuilder::add(const Datapoint& datapoint) {
  if (count_ > 0 && datapoint.size() != columns_.size()) {
    throw DataError(fmt::format(
        "[{}] expected {} components as in the batch's first datapoint, got {} in datapoint {} of it", stage_,
        columns_.size(), datapoint.size(), count_));
  }
  if (count_ == 0) names_ = datapoint.shared_names();
  // Most datapoints share one list of names, or have none.
  if ((!names_ && !datapoint.has_names()) || datapoint.shared_names() == names_) {
    for (size_t c = 0; c < datapoint.size(); ++c) add_component(datapoint[c], c);
  } else {
    check_names(datapoint);
    for (size_t c = 0; c < datapoint.size(); ++c) add_component(datapoint.at((*names_)[c]), c);
  }
  ++count_;
}

void BatchBuilder::check_names(const Datapoint& datapoint) const {
  const bool has_all = names_ && datapoint.has_names() &&
                       std::all_of(names_->begin(), names_->end(),
                                   [&](const std::string& name) { return datapoint.find(name) != nullptr; });
  if (has_all) return;
  const Datapoint::Names none, &expected = names_ ? *names_ : none;
  throw DataError(fmt::format(
      "[{}] expected components named ({}) as in the batch's first datapoint, got ({}) in datapoint {} of it",
      stage_, fmt::join(expected, ", "), fmt::join(datapoint.names(), ", "), count_));
}

void BatchBuilder::add_component(const at::Tensor& value, size_t component) {
  if (use_list_) {
    if (count_ == 0) columns_.emplace_back();
    columns_[component].list.push_back(value);
    return;
  }
  if (!value.defined()) {
    throw DataError(
        fmt::format("[{}] expected a tensor as component {}, got an undefined one in datapoint {} of a batch",
                    stage_, component, count_));
  }
  if (!value.has_storage() && is_object(value)) {
    throw DataError(fmt::format(
        "[{}] expected a tensor as component {}, or the option use_list, got {} in datapoint {} of a batch",
        stage_, component, describe(value), count_));
  }
  if (count_ == 0) columns_.push_back(make_column(value, component));
  copy(value, component);
}

BatchBuilder::Column BatchBuilder::make_column(const at::Tensor& first, size_t component) const {
  if (pinned_ && !first.is_cpu()) {
    throw DataError(fmt::format("[{}] expected component {} on the CPU for pinned memory, got {}", stage_,
                                component, first.device().str()));
  }
  std::vector<int64_t> sizes{batch_size_};
  sizes.insert(sizes.end(), first.sizes().begin(), first.sizes().end());
  Column column{at::empty(sizes, first.options().requires_grad(false).pinned_memory(pinned_))};
  if (first.is_cpu() && first.layout() == at::kStrided) {
    column.data = static_cast<char*>(column.values.mutable_data_ptr());
    column.bytes_per_row = first.nbytes();
  }
  return column;
}

void BatchBuilder::copy(const at::Tensor& value, size_t component) {
  Column& column = columns_[component];
  const at::IntArrayRef expected = column.values.sizes().slice(1);
  if (value.sizes() != expected || value.scalar_type() != column.values.scalar_type()) {
    throw DataError(fmt::format(
        "[{}] expected component {} to be {} as in the batch's first datapoint, got {} in datapoint {} "
        "of it",
        stage_, component, describe(column.values.scalar_type(), expected),
        describe(value.scalar_type(), value.sizes()), count_));
  }
  const bool is_plain = column.data && value.is_cpu() && value.layout() == at::kStrided &&
                        value.is_contiguous() && !value.is_conj() && !value.is_neg();
  if (!is_plain) {
    column.values.select(0, count_).copy_(value.detach());
  } else if (column.bytes_per_row > 0) {
    std::memcpy(column.data + static_cast<size_t>(count_) * column.bytes_per_row, value.const_data_ptr(),
                column.bytes_per_row);
  }
}

Datapoint BatchBuilder::finish() {
  Datapoint batch;
  batch.reserve(columns_.size());
  for (Column& column : columns_) {
    if (use_list_) {
      batch.push_back(make_list(std::move(column.list)));
    } else {
      batch.push_back(is_full() ? std::move(column.values) : column.values.narrow(0, 0, count_));
    }
  }
  batch.set_names(std::move(names_));
  names_ = nullptr;
  columns_.clear();
  count_ = 0;
  return batch;
}

}  // namespace belfry::internal
