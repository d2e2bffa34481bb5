#include "belfry/dataflow/shuffle_data.h"

#include <algorithm>

namespace belfry {
namespace {

// Takes the datapoints from the back of the shuffled list, so that their memory is released on the way.
struct ShufflePass {
  std::optional<Datapoint> next() {
    fill();
    if (datapoints.empty()) return std::nullopt;
    Datapoint datapoint = std::move(datapoints.back());
    datapoints.pop_back();
    return datapoint;
  }

  int64_t skip(int64_t count) {
    // Who skips the whole pass needs no order, only its length.
    const std::optional<int64_t> size = flow->size();
    if (source && size && count >= *size) {
      if (int64_t skipped = source->skip(count); skipped < count) return skipped;
      source = flow->start_pass(pass);
    }
    fill();
    const int64_t skipped = std::min(count, static_cast<int64_t>(datapoints.size()));
    datapoints.resize(datapoints.size() - static_cast<size_t>(skipped));
    return skipped;
  }

  void fill() {
    if (!source) return;
    while (std::optional<Datapoint> datapoint = source->next()) datapoints.push_back(std::move(*datapoint));
    Rng(seed, static_cast<uint64_t>(pass)).shuffle(datapoints);
    source.reset();
  }

  AnyDataFlow flow;
  uint64_t seed;
  int64_t pass;
  std::optional<DataIterator> source;  // until it has been read
  std::vector<Datapoint> datapoints = {};
};

}  // namespace

ShuffleData::ShuffleData(AnyDataFlow source, ShuffleDataOptions options)
    : ProxyDataFlow(std::move(source)), options_(options) {}

DataIterator ShuffleData::start_pass(int64_t pass) {
  return DataIterator(ShufflePass{source_, options_.seed, pass, source_->start_pass(pass)});
}

}  // namespace belfry
