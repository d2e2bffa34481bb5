#include "belfry/dataflow/batch_data.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/batch_builder.h"
#include "belfry/dataflow/internal/batching.h"

namespace belfry {
namespace {

struct BatchPass {
  std::optional<Datapoint> next() {
    while (!batch.is_full()) {
      std::optional<Datapoint> datapoint = source.next();
      if (!datapoint) break;
      batch.add(*datapoint);
    }
    if (batch.count() == 0 || (!batch.is_full() && !batching.remainder)) return std::nullopt;
    return batch.finish();
  }

  int64_t skip(int64_t count) { return batching.skip(source, count); }

  DataIterator source;
  internal::BatchBuilder batch;
  internal::Batching batching;
};

}  // namespace

BatchData::BatchData(AnyDataFlow source, int64_t batch_size, BatchDataOptions options)
    : ProxyDataFlow(std::move(source)), batch_size_(batch_size), options_(options) {
  if (batch_size_ <= 0)
    throw UsageError(fmt::format("[BatchData] expected batch_size > 0, got {}", batch_size_));
  const std::optional<int64_t> n = options_.remainder ? std::nullopt : source_->size();
  if (n == 0) throw DataError("[BatchData] expected data, got a source of size 0");
  if (n && *n < batch_size_) {
    throw UsageError(
        fmt::format("[BatchData] expected batch_size <= {}, the size of the source, or remainder = true, got "
                    "batch_size {}",
                    *n, batch_size_));
  }
  internal::check_pinned(options_.pinned, "BatchData");
}

std::optional<int64_t> BatchData::size() const {
  return internal::Batching{batch_size_, options_.remainder}.batches_in(source_->size());
}

DataIterator BatchData::start_pass(int64_t pass) {
  return DataIterator(
      BatchPass{source_->start_pass(pass),
                internal::BatchBuilder("BatchData", batch_size_, options_.pinned, options_.use_list),
                {batch_size_, options_.remainder}});
}

}  // namespace belfry
