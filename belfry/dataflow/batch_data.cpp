#include "belfry/dataflow/batch_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/batch_builder.h"

namespace belfry {
namespace {

struct BatchPass {
  std::optional<Datapoint> next() {
    while (!batch.is_full()) {
      std::optional<Datapoint> datapoint = source.next();
      if (!datapoint) break;
      batch.add(*datapoint);
    }
    if (batch.count() == 0 || (!batch.is_full() && !remainder)) return std::nullopt;
    return batch.finish();
  }

  int64_t skip(int64_t count) {
    const int64_t most = std::numeric_limits<int64_t>::max() / batch_size;
    const int64_t skipped = source.skip(std::min(count, most) * batch_size);
    return skipped / batch_size + (remainder && skipped % batch_size != 0);
  }

  DataIterator source;
  internal::BatchBuilder batch;
  int64_t batch_size;
  bool remainder;
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
  std::optional<int64_t> n = source_->size();
  if (!n) return std::nullopt;
  return *n / batch_size_ + (options_.remainder && *n % batch_size_ != 0);
}

DataIterator BatchData::start_pass(int64_t pass) {
  return DataIterator(BatchPass{source_->start_pass(pass),
                                internal::BatchBuilder("BatchData", batch_size_, options_.pinned),
                                batch_size_, options_.remainder});
}

}  // namespace belfry
