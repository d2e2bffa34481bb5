#include "belfry/dataflow/parallel_map_data.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/ordered_map.h"
#include "belfry/dataflow/internal/unordered_map.h"

namespace belfry {

MultiThreadMapData::MultiThreadMapData(AnyDataFlow source, int64_t num_thread, MapFunction function,
                                       MultiThreadMapDataOptions options)
    : ProxyDataFlow(std::move(source)),
      num_thread_(num_thread),
      function_(std::make_shared<const MapFunction>(std::move(function))),
      options_(options) {
  if (num_thread_ <= 0)
    throw UsageError(fmt::format("[MultiThreadMapData] expected num_thread > 0, got {}", num_thread_));
  if (options_.buffer_size <= 0)
    throw UsageError(
        fmt::format("[MultiThreadMapData] expected buffer_size > 0, got {}", options_.buffer_size));
  if (!*function_) throw UsageError("[MultiThreadMapData] expected a function, got an empty one");
}

DataIterator MultiThreadMapData::start_pass(int64_t pass) {
  const internal::MapCall first{
      .stage = "MultiThreadMapData", .seed = options_.seed, .pass = pass, .index = 0};
  DataIterator source = source_->start_pass(pass);
  if (options_.strict) {
    return DataIterator(
        internal::OrderedMapPass(std::move(source), function_, first, num_thread_, options_.buffer_size));
  }
  return DataIterator(
      internal::UnorderedMapPass(std::move(source), function_, first, num_thread_, options_.buffer_size));
}

}  // namespace belfry
