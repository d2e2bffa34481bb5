#include "belfry/dataflow/shard_data.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"

namespace belfry {
namespace {

class ShardPass {
 public:
  ShardPass(DataIterator source, const ShardDataOptions& options)
      : source_(std::move(source)), pending_(options.shard), step_(options.num_shard) {}

  std::optional<Datapoint> next() {
    if (source_.skip(pending_) < pending_) return std::nullopt;
    pending_ = step_ - 1;
    return source_.next();
  }

  int64_t skip(int64_t count) {
    if (count == 0) return 0;
    const int64_t first = pending_ + 1;  // up to the next of this shard, and it
    const int64_t skipped = source_.skip(first + (count - 1) * step_);
    pending_ = step_ - 1;
    return skipped < first ? 0 : 1 + (skipped - first) / step_;
  }

 private:
  DataIterator source_;
  int64_t pending_;  ///< of others, before the next of this shard
  int64_t step_;
};

}  // namespace

ShardData::ShardData(AnyDataFlow source, ShardDataOptions options)
    : ProxyDataFlow(std::move(source)), options_(options) {
  if (options.shard < 0 || options.shard >= options.num_shard) {
    throw UsageError(fmt::format("[ShardData] expected 0 <= shard < num_shard, got {} of {}", options.shard,
                                 options.num_shard));
  }
}

DataIterator ShardData::start_pass(int64_t pass) {
  return DataIterator(ShardPass(source_->start_pass(pass), options_));
}

std::optional<int64_t> ShardData::size() const {
  const std::optional<int64_t> all = source_->size();
  if (!all) return std::nullopt;
  return (*all - options_.shard + options_.num_shard - 1) / options_.num_shard;
}

}  // namespace belfry
