#include "belfry/dataflow/locally_shuffle_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "belfry/base/error.h"
#include "belfry/dataflow/repeated_data.h"

namespace belfry {
namespace {

struct LocalShufflePass {
  std::optional<Datapoint> next() {
    while (!is_draining) {
      if (copies_left == 0 && !take_from_source()) break;
      --copies_left;
      std::optional<Datapoint> pushed_out;
      if (buffer.size() == buffer_size) {
        pushed_out = std::move(buffer.front());
        buffer.pop_front();
      }
      buffer.push_back(entering);
      if (pushed_out) return pushed_out;
    }
    if (buffer.empty()) return std::nullopt;
    Datapoint datapoint = std::move(buffer.front());
    buffer.pop_front();
    return datapoint;
  }

  bool take_from_source() {
    std::optional<Datapoint> datapoint = source.next();
    if (!datapoint) {
      rng.shuffle(buffer);
      is_draining = true;
      return false;
    }
    entering = std::move(*datapoint);
    copies_left = num_reuse;
    if (++taken % shuffle_interval == 0) rng.shuffle(buffer);
    return true;
  }

  DataIterator source;
  size_t buffer_size;
  int64_t num_reuse, shuffle_interval;
  Rng rng;
  std::deque<Datapoint> buffer = {};
  Datapoint entering = {};
  int64_t copies_left = 0, taken = 0;
  bool is_draining = false;  // the source has ended
};

void check_positive(std::string_view what, int64_t value) {
  if (value <= 0) throw UsageError(fmt::format("[LocallyShuffleData] expected {} > 0, got {}", what, value));
}

}  // namespace

LocallyShuffleData::LocallyShuffleData(AnyDataFlow source, int64_t buffer_size,
                                       LocallyShuffleDataOptions options)
    : ProxyDataFlow(std::move(source)), buffer_size_(buffer_size), options_(options) {
  check_positive("buffer_size", buffer_size_);
  check_positive("num_reuse", options_.num_reuse);
  if (!options_.shuffle_interval) options_.shuffle_interval = std::max<int64_t>(buffer_size_ / 3, 1);
  check_positive("shuffle_interval", *options_.shuffle_interval);
}

DataIterator LocallyShuffleData::start_pass(int64_t pass) {
  DataIterator source =
      options_.endless ? RepeatedData(source_, -1).start_pass(pass) : source_->start_pass(pass);
  return DataIterator(LocalShufflePass{std::move(source), static_cast<size_t>(buffer_size_),
                                       options_.num_reuse, *options_.shuffle_interval,
                                       Rng(options_.seed, static_cast<uint64_t>(pass))});
}

std::optional<int64_t> LocallyShuffleData::size() const {
  const std::optional<int64_t> n = source_->size();
  if (!n || options_.endless) return std::nullopt;
  return *n * options_.num_reuse;
}

}  // namespace belfry
