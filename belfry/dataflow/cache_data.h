#pragma once

#include "belfry/dataflow/dataflow.h"

namespace belfry {

struct CacheDataOptions {
  /// Whether passes that come from memory are in a new random order each. The pass that fills the cache is
  /// not.
  bool shuffle = false;
  uint64_t seed = 0;
};

/// Keeps the datapoints of the first pass that reaches its end in memory; later passes come from there and do
/// not touch the source. A pass that stops early or fails caches nothing.
class CacheData : public ProxyDataFlow {
 public:
  explicit CacheData(AnyDataFlow source, CacheDataOptions options = {});
  DataIterator iterator() override;
  /// Also forgets the cache.
  void reset_state() override;

 private:
  struct Cache;
  std::shared_ptr<Cache> cache_;
  CacheDataOptions options_;
  PassRng rng_;
};

}  // namespace belfry
