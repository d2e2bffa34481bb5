#include "belfry/dataflow/prefetch_data.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/ordered_map.h"

namespace belfry {

PrefetchData::PrefetchData(AnyDataFlow source, int64_t buffer_size)
    : ProxyDataFlow(std::move(source)), buffer_size_(buffer_size) {
  if (buffer_size_ <= 0)
    throw UsageError(fmt::format("[PrefetchData] expected buffer_size > 0, got {}", buffer_size_));
}

DataIterator PrefetchData::start_pass(int64_t pass) {
  return DataIterator(internal::OrderedMapPass(source_->start_pass(pass), /*function=*/nullptr,
                                               {.stage = "PrefetchData"}, /*num_thread=*/1, buffer_size_));
}

}  // namespace belfry
