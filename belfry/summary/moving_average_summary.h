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

/// Fetches the tensors of add_moving_summary with every step, keeps their exponential moving averages and
/// puts them to the monitors with the last step of each epoch.
///
/// After t values x_1 .. x_t of decay d the average is (1 - d) * sum(d^(t-i) x_i) / (1 - d^t): TensorFlow's
/// zero-debiased moving average. It lives outside the graph, so checkpoints do not hold it; a new run starts
/// anew.
class MovingAverageSummary : public Callback {
 public:
  explicit MovingAverageSummary(MovingAverageSummaryOptions options = {});

  std::string name() const override { return "MovingAverageSummary"; }
  void setup_graph() override;
  std::vector<Tensor> before_run() override;
  void after_run(const std::vector<at::Tensor>& values) override;

 private:
  struct Average {
    std::string tag;
    double decay;
    double biased = 0;
    double weight = 0;  ///< 1 - decay^t
  };

  MovingAverageSummaryOptions options_;
  std::vector<Tensor> fetches_;
  std::vector<Average> averages_;
  bool show_ = false;
};

}  // namespace belfry
