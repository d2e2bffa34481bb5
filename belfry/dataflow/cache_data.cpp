#include "belfry/dataflow/cache_data.h"

#include <mutex>

namespace belfry {

// A pass may end in another thread than the one that starts the next.
struct CacheData::Cache {
  std::mutex mutex;
  std::shared_ptr<const std::vector<Datapoint>> datapoints;  // guarded by mutex
};

CacheData::CacheData(AnyDataFlow source, CacheDataOptions options)
    : ProxyDataFlow(std::move(source)),
      cache_(std::make_shared<Cache>()),
      options_(options),
      rng_(options.seed) {}

DataIterator CacheData::iterator() {
  std::shared_ptr<const std::vector<Datapoint>> cached;
  {
    std::lock_guard lock(cache_->mutex);
    cached = cache_->datapoints;
  }
  if (!cached) {
    return DataIterator([source = source_->iterator(), cache = cache_,
                         seen = std::vector<Datapoint>()]() mutable -> std::optional<Datapoint> {
      if (std::optional<Datapoint> datapoint = source.next()) {
        seen.push_back(*datapoint);
        return datapoint;
      }
      std::lock_guard lock(cache->mutex);
      cache->datapoints = std::make_shared<const std::vector<Datapoint>>(std::move(seen));
      return std::nullopt;
    });
  }
  std::vector<size_t> order(cached->size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  if (options_.shuffle) rng_.next_pass().shuffle(order);
  return DataIterator(
      [cached, order = std::move(order), index = size_t{0}]() mutable -> std::optional<Datapoint> {
        if (index == order.size()) return std::nullopt;
        return (*cached)[order[index++]];
      });
}

void CacheData::reset_state() {
  {
    std::lock_guard lock(cache_->mutex);
    cache_->datapoints.reset();
  }
  rng_.reset();
  ProxyDataFlow::reset_state();
}

}  // namespace belfry
