#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct CacheDataOptions {
  /// Whether passes are in a new random order each. Pass 0 is not: it may fill the cache.
  bool shuffle = false;
  uint64_t seed = 0;
};

/// Keeps the datapoints of the source's pass 0 in memory. The first pass that reaches its end fills the
/// cache; later ones come from there and do not touch the source. A pass that stops early or fails caches
/// nothing. With `shuffle`, a pass other than 0 that finds no cache fills it before its first datapoint.
class CacheData : public ProxyDataFlow {
 public:
  explicit CacheData(AnyDataFlow source, CacheDataOptions options = {});
  DataIterator start_pass(int64_t pass) override;
  /// Also forgets the cache.
  void reset_state() override;

 private:
  struct Cache;
  struct FillingPass;
  struct CachedPass;
  std::shared_ptr<Cache> cache_;
  CacheDataOptions options_;
};

}  // namespace belfry
