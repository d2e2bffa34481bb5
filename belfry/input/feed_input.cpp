#include "belfry/input/feed_input.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"

namespace belfry {

FeedInput::FeedInput(AnyDataFlow dataflow, FeedInputOptions options)
    : DataFlowInput(std::move(dataflow), options.infinite) {}

void FeedInput::reset_state() {
  pass_.emplace(new_pass());
}

std::optional<Datapoint> FeedInput::next(std::stop_token stop) {
  if (!pass_) throw UsageError("[FeedInput] expected reset_state before next, got no call of it");
  if (stop.stop_requested()) return std::nullopt;
  std::optional<Datapoint> datapoint = pass_->next();
  if (!datapoint) return std::nullopt;
  datapoint = for_inputs(std::move(*datapoint));
  taken_up_to(pass_->position());
  return datapoint;
}

}  // namespace belfry
