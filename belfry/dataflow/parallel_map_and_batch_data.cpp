#include "belfry/dataflow/parallel_map_and_batch_data.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iterator>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/batch_builder.h"
#include "belfry/dataflow/internal/batching.h"
#include "belfry/dataflow/internal/ordered_map.h"

namespace belfry {
namespace {

using Options = MultiThreadMapAndBatchDataOptions;
constexpr const char* kStage = "MultiThreadMapAndBatchData";

// Runs where the source runs: gives each datapoint its row in a batch. What it produces is the datapoint,
// then the views of the row, then the whole batch.
struct RowPass {
  std::optional<Datapoint> next() {
    std::optional<Datapoint> datapoint = source.next();
    if (!datapoint) return std::nullopt;
    if (row == 0) {
      batch.clear();
      for (const BatchComponent& component : options->components) batch.push_back(make_buffer(component));
    }
    for (const at::Tensor& values : batch) datapoint->push_back(values.select(0, row));
    datapoint->insert(datapoint->end(), batch.begin(), batch.end());
    row = (row + 1) % options->batch_size;
    return datapoint;
  }

  // Asked for whole batches, before the first.
  int64_t skip(int64_t count) { return source.skip(count); }

  at::Tensor make_buffer(const BatchComponent& component) const {
    std::vector<int64_t> sizes{options->batch_size};
    sizes.insert(sizes.end(), component.shape.begin(), component.shape.end());
    return at::empty(sizes, at::TensorOptions(component.dtype).pinned_memory(options->pinned));
  }

  DataIterator source;
  std::shared_ptr<const Options> options;
  int64_t row = 0;
  Datapoint batch = {};
};

// Runs in the threads; passes the batch on.
MapFunction write_row(std::shared_ptr<const MapIntoFunction> function, size_t components) {
  return [function = std::move(function), components](Datapoint all, Rng& rng) {
    auto cut = [&](Datapoint& from) {
      const auto begin = from.end() - static_cast<std::ptrdiff_t>(components);
      Datapoint part(std::make_move_iterator(begin), std::make_move_iterator(from.end()));
      from.erase(begin, from.end());
      return part;
    };
    Datapoint batch = cut(all);
    const Datapoint out = cut(all);
    (*function)(all, out, rng);
    return batch;
  };
}

// Runs where the consumer runs: a batch is complete when all its rows have come.
struct MapAndBatchPass {
  std::optional<Datapoint> next() {
    Datapoint batch;
    int64_t count = 0;
    for (; count < batching.batch_size; ++count) {
      std::optional<Datapoint> row = rows.next();
      if (!row) break;
      if (count == 0) batch = std::move(*row);
    }
    const bool is_full = count == batching.batch_size;
    if (count == 0 || (!is_full && !batching.remainder)) return std::nullopt;
    if (!is_full) {
      for (at::Tensor& values : batch) values = values.narrow(0, 0, count);
    }
    return batch;
  }

  int64_t skip(int64_t count) { return batching.skip(rows, count); }

  internal::OrderedMapPass rows;
  internal::Batching batching;
};

}  // namespace

MultiThreadMapAndBatchData::MultiThreadMapAndBatchData(AnyDataFlow source, MapIntoFunction function,
                                                       Options options)
    : ProxyDataFlow(std::move(source)),
      function_(std::make_shared<const MapIntoFunction>(std::move(function))),
      options_(std::move(options)) {
  if (!*function_) throw UsageError(fmt::format("[{}] expected a function, got an empty one", kStage));
  if (options_.components.empty())
    throw UsageError(fmt::format("[{}] expected at least one component, got none", kStage));
  if (options_.num_thread <= 0 || options_.batch_size <= 0 || options_.buffer_size <= 0) {
    throw UsageError(fmt::format("[{}] expected num_thread, batch_size and buffer_size > 0, got {}, {}, {}",
                                 kStage, options_.num_thread, options_.batch_size, options_.buffer_size));
  }
  for (const BatchComponent& component : options_.components) {
    if (std::ranges::any_of(component.shape, [](int64_t size) { return size < 0; })) {
      throw UsageError(fmt::format("[{}] expected sizes >= 0 in the shape of a component, got [{}]", kStage,
                                   fmt::join(component.shape, ", ")));
    }
  }
  if (std::optional<int64_t> n = source_->size(); n && *n < options_.batch_size && !options_.remainder) {
    throw UsageError(fmt::format(
        "[{}] expected batch_size <= {}, the size of the source, or remainder = true, got batch_size {}",
        kStage, *n, options_.batch_size));
  }
  internal::check_pinned(options_.pinned, kStage);
}

DataIterator MultiThreadMapAndBatchData::start_pass(int64_t pass) {
  RowPass rows{source_->start_pass(pass), std::make_shared<const Options>(options_)};
  auto function = std::make_shared<const MapFunction>(write_row(function_, options_.components.size()));
  return DataIterator(MapAndBatchPass{
      internal::OrderedMapPass(DataIterator(std::move(rows)), std::move(function),
                               {.stage = kStage, .seed = options_.seed, .pass = pass, .index = 0},
                               options_.num_thread, options_.buffer_size),
      {options_.batch_size, options_.remainder}});
}

std::optional<int64_t> MultiThreadMapAndBatchData::size() const {
  return internal::Batching{options_.batch_size, options_.remainder}.batches_in(source_->size());
}

}  // namespace belfry
