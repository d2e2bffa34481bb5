#include "belfry/dataflow/internal/ordered_map.h"

namespace belfry::internal {

void OrderedMapPass::start() {
  if (running_) return;
  auto map = [function = function_, first = first_](Datapoint datapoint,
                                                    Workers::Turn turn) -> std::optional<Datapoint> {
    if (!function) return datapoint;
    MapCall call = first;
    call.index += static_cast<int64_t>(turn.ticket);
    return map_call(*function, std::move(datapoint), call);
  };
  running_ = std::make_unique<Workers>([source = source_](const std::stop_token&) { return source->next(); },
                                       std::move(map),
                                       OrderedWorkersOptions{.num_thread = static_cast<size_t>(num_thread_),
                                                             .window = static_cast<size_t>(buffer_size_)});
}

std::optional<Datapoint> OrderedMapPass::next() {
  start();
  while (std::optional<std::optional<Datapoint>> result = running_->next()) {
    if (*result) return std::move(*result);
  }
  return std::nullopt;
}

int64_t OrderedMapPass::skip(int64_t count) {
  int64_t skipped = 0;
  if (!running_ && !(function_ && function_->may_drop())) {
    skipped = source_->skip(count);
    first_.index += skipped;
  } else {
    while (skipped < count && next()) ++skipped;
  }
  return skipped;
}

}  // namespace belfry::internal
