#include "belfry/dataflow/shuffle_data.h"

namespace belfry {

ShuffleData::ShuffleData(AnyDataFlow source, ShuffleDataOptions options)
    : ProxyDataFlow(std::move(source)), rng_(options.seed) {}

DataIterator ShuffleData::iterator() {
  return DataIterator([source = source_->iterator(), rng = rng_.next_pass(), is_filled = false,
                       datapoints = std::vector<Datapoint>()]() mutable -> std::optional<Datapoint> {
    if (!is_filled) {
      while (std::optional<Datapoint> datapoint = source.next()) datapoints.push_back(std::move(*datapoint));
      rng.shuffle(datapoints);
      is_filled = true;
    }
    if (datapoints.empty()) return std::nullopt;
    Datapoint datapoint = std::move(datapoints.back());
    datapoints.pop_back();
    return datapoint;
  });
}

void ShuffleData::reset_state() {
  rng_.reset();
  ProxyDataFlow::reset_state();
}

}  // namespace belfry
