#include "belfry/dataflow/batch_data_by_shape.h"

#include <fmt/format.h>

#include <list>
#include <map>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/batch_builder.h"

namespace belfry {
namespace {

struct BatchByShapePass {
  std::optional<Datapoint> next() {
    while (std::optional<Datapoint> datapoint = source.next()) {
      internal::BatchBuilder& batch = batch_for(*datapoint);
      batch.add(*datapoint);
      if (batch.is_full()) return batch.finish();
    }
    while (remainder && !batches.empty()) {
      internal::BatchBuilder batch = std::move(batches.front());
      batches.pop_front();
      if (batch.count() > 0) return batch.finish();
    }
    return std::nullopt;
  }

  internal::BatchBuilder& batch_for(const Datapoint& datapoint) {
    if (index >= static_cast<int64_t>(datapoint.size()) || !datapoint[index].defined()) {
      throw DataError(fmt::format("[BatchDataByShape] expected a component {}, got {} components", index,
                                  datapoint.size()));
    }
    auto [found, is_new] = batch_by_shape.try_emplace(datapoint[index].sizes().vec(), nullptr);
    if (is_new) {
      batches.emplace_back("BatchDataByShape", batch_size, pinned);
      found->second = &batches.back();
    }
    return *found->second;
  }

  DataIterator source;
  int64_t batch_size, index;
  bool remainder, pinned;
  std::list<internal::BatchBuilder> batches = {};  // in the order in which their shapes came
  std::map<std::vector<int64_t>, internal::BatchBuilder*> batch_by_shape = {};
};

}  // namespace

BatchDataByShape::BatchDataByShape(AnyDataFlow source, int64_t batch_size, int64_t index,
                                   BatchDataByShapeOptions options)
    : ProxyDataFlow(std::move(source)), batch_size_(batch_size), index_(index), options_(options) {
  if (batch_size_ <= 0)
    throw UsageError(fmt::format("[BatchDataByShape] expected batch_size > 0, got {}", batch_size_));
  if (index_ < 0)
    throw UsageError(fmt::format("[BatchDataByShape] expected a component index >= 0, got {}", index_));
  internal::check_pinned(options_.pinned, "BatchDataByShape");
}

DataIterator BatchDataByShape::start_pass(int64_t pass) {
  return DataIterator(
      BatchByShapePass{source_->start_pass(pass), batch_size_, index_, options_.remainder, options_.pinned});
}

}  // namespace belfry
