#pragma once

#include <string>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/loop/callback.h"

namespace belfry {

struct MovingAverageSummaryOptions {
  std::string collection = kMovingSummaries;
  /// Also shows the averages every so many steps of an epoch, besides its last; 0: only then.
  int64_t period = 0;
};

/// Keeps the moving averages of add_moving_summary, which are part of the graph, with every step, and puts
/// them to the monitors with the last step of each epoch.
class MovingAverageSummary : public Callback {
 public:
  explicit MovingAverageSummary(MovingAverageSummaryOptions options = {});

  std::string name() const override { return "MovingAverageSummary"; }
  void setup_graph() override;
  std::vector<Tensor> before_run() override;
  void after_run(const std::vector<at::Tensor>& values) override;

 private:
  MovingAverageSummaryOptions options_;
  std::vector<Tensor> averages_;
  Tensor update_;  ///< all of them, without their values; none where there are none
  bool show_ = false;
};

}  // namespace belfry
