#include "belfry/dataflow/split_data.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"

namespace belfry {
namespace {

class SplitPass {
 public:
  SplitPass(DataIterator source, const SplitDataOptions& options)
      : source_(std::move(source)), pending_(options.part), step_(options.num_part) {}

  std::optional<Datapoint> next() {
    if (source_.skip(pending_) < pending_) return std::nullopt;
    pending_ = step_ - 1;
    return source_.next();
  }

  int64_t skip(int64_t count) {
    if (count == 0) return 0;
    const int64_t first = pending_ + 1;  // up to the next of this part, and it
    const int64_t skipped = source_.skip(first + (count - 1) * step_);
    pending_ = step_ - 1;
    return skipped < first ? 0 : 1 + (skipped - first) / step_;
  }

 private:
  DataIterator source_;
  int64_t pending_;  ///< of others, before the next of this part
  int64_t step_;
};

}  // namespace

SplitData::SplitData(AnyDataFlow source, SplitDataOptions options)
    : ProxyDataFlow(std::move(source)), options_(options) {
  if (options.part < 0 || options.part >= options.num_part) {
    throw UsageError(fmt::format("[SplitData] expected 0 <= part < num_part, got {} of {}", options.part,
                                 options.num_part));
  }
}

DataIterator SplitData::start_pass(int64_t pass) {
  return DataIterator(SplitPass(source_->start_pass(pass), options_));
}

std::optional<int64_t> SplitData::size() const {
  const std::optional<int64_t> all = source_->size();
  if (!all) return std::nullopt;
  return (*all - options_.part + options_.num_part - 1) / options_.num_part;
}

}  // namespace belfry
