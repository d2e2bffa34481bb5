#pragma once

#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/loop/callback.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct MovingAverageSummaryOptions {
  std::string collection = kMovingSummaries;
  /// Also shows the averages every so many steps of an epoch, besides its last; 0: only then.
  int64_t period = 0;
  /// An operation, or its name: the averages are then kept in every run of the trainer that runs it, and in
  /// no other, also where a step runs it several times or never. Default: once with every step.
  std::optional<Fetch> train_op = {};
};

/// Keeps the moving averages of add_moving_summary, which are part of the graph, with every step, and puts
/// them to the monitors with the last step of each epoch.
class MovingAverageSummary : public Callback {
 public:
  explicit MovingAverageSummary(MovingAverageSummaryOptions options = {});

  std::string name() const override { return "MovingAverageSummary"; }
  /// Throws UsageError when the collection holds a tensor that is no such average, or there is no train_op.
  void setup_graph() override;
  std::vector<Tensor> before_run() override;
  void after_run(const std::vector<at::Tensor>& values) override;
  void trigger_step() override;

 private:
  MovingAverageSummaryOptions options_;
  std::vector<Tensor> averages_;
  Tensor update_;  ///< all of them, without their values; none where there are none
  bool show_ = false;
};

}  // namespace belfry
