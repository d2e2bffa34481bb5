#include "belfry/dataflow/cache_data.h"

#include <algorithm>
#include <mutex>

namespace belfry {

// A pass may end in another thread than the one that starts the next.
struct CacheData::Cache {
  using Datapoints = std::shared_ptr<const std::vector<Datapoint>>;

  Datapoints get() const {
    std::lock_guard lock(mutex);
    return datapoints;
  }
  void set(Datapoints filled) {
    std::lock_guard lock(mutex);
    datapoints = std::move(filled);
  }

  mutable std::mutex mutex;
  Datapoints datapoints;  // guarded by mutex
};

// Fills the cache while it produces.
struct CacheData::FillingPass {
  std::optional<Datapoint> next() {
    if (std::optional<Datapoint> datapoint = source.next()) {
      seen.push_back(*datapoint);
      return datapoint;
    }
    finish();
    return std::nullopt;
  }

  Cache::Datapoints finish() {
    while (std::optional<Datapoint> datapoint = source.next()) seen.push_back(std::move(*datapoint));
    auto all = std::make_shared<const std::vector<Datapoint>>(std::move(seen));
    cache->set(all);
    return all;
  }

  DataIterator source;
  std::shared_ptr<Cache> cache;
  std::vector<Datapoint> seen = {};
};

// Produces what is cached, in a random order if there is a generator.
struct CacheData::CachedPass {
  std::optional<Datapoint> next() {
    prepare();
    if (index == datapoints->size()) return std::nullopt;
    const size_t at = index++;
    return (*datapoints)[order.empty() ? at : order[at]];
  }

  int64_t skip(int64_t count) {
    prepare();
    const size_t skipped = std::min(static_cast<size_t>(count), datapoints->size() - index);
    index += skipped;
    return static_cast<int64_t>(skipped);
  }

  void prepare() {
    if (filling) datapoints = filling->finish();
    filling.reset();
    if (!rng) return;
    order.resize(datapoints->size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    rng->shuffle(order);
    rng.reset();
  }

  Cache::Datapoints datapoints;
  std::optional<FillingPass> filling;  // until the cache has been filled, if it has to be
  std::optional<Rng> rng;              // until the order has been drawn
  std::vector<size_t> order = {};
  size_t index = 0;
};

CacheData::CacheData(AnyDataFlow source, CacheDataOptions options)
    : ProxyDataFlow(std::move(source)), cache_(std::make_shared<Cache>()), options_(options) {}

DataIterator CacheData::start_pass(int64_t pass) {
  Cache::Datapoints cached = cache_->get();
  std::optional<FillingPass> filling;
  if (!cached) filling.emplace(FillingPass{source_->start_pass(0), cache_});
  const bool is_shuffled = options_.shuffle && pass > 0;
  if (filling && !is_shuffled) return DataIterator(std::move(*filling));
  std::optional<Rng> rng;
  if (is_shuffled) rng.emplace(options_.seed, static_cast<uint64_t>(pass));
  return DataIterator(CachedPass{std::move(cached), std::move(filling), std::move(rng)});
}

void CacheData::reset_state() {
  cache_->set(nullptr);
  ProxyDataFlow::reset_state();
}

}  // namespace belfry
