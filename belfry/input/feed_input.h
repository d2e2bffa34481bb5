#pragma once

#include <optional>
#include <string>

#include "belfry/input/dataflow_input.h"

namespace belfry {

struct FeedInputOptions {
  /// False: a pass ends with the dataflow. True: the dataflow is repeated for ever, as training wants it.
  bool infinite = true;
};

/// Iterates over a dataflow in the thread that runs the steps: simple, and training waits for the data, which
/// a request to stop cannot cut short. For debugging, and where the data is in memory anyway.
class FeedInput : public DataFlowInput {
 public:
  explicit FeedInput(AnyDataFlow dataflow, FeedInputOptions options = {});

  std::string name() const override { return "FeedInput"; }
  std::optional<Datapoint> next(std::stop_token stop = {}) override;
  void reset_state() override;
  void stop() override { pass_.reset(); }

 private:
  std::optional<Pass> pass_;
};

}  // namespace belfry
