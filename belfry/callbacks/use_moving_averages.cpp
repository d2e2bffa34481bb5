#include "belfry/callbacks/use_moving_averages.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/loop/trainer.h"
#include "belfry/optim/moving_average.h"

namespace belfry {
namespace {

/// Puts the averages into their variables, and the values from before back when it ends.
class Swapped {
 public:
  explicit Swapped(Trainer& trainer) : session_(trainer.session()) {
    for (const auto& [variable, average] : ExponentialMovingAverage::averages_in(trainer.graph()))
      values_.emplace_back(variable, session_.value(variable));
    for (const auto& [variable, average] : ExponentialMovingAverage::averages_in(trainer.graph()))
      session_.set_value(variable, session_.value(average));
  }
  ~Swapped() {
    for (const auto& [variable, value] : values_) session_.set_value(variable, value);
  }
  Swapped(const Swapped&) = delete;
  Swapped& operator=(const Swapped&) = delete;

 private:
  Session& session_;
  std::vector<std::pair<Variable, at::Tensor>> values_;
};

}  // namespace

void UseMovingAverages::before_train() {
  if (ExponentialMovingAverage::averages_in(trainer().graph()).empty()) {
    throw UsageError(fmt::format(
        "[{}] expected variables with a moving average (MovingAverageOptimizer), got none", name()));
  }
  inner().before_train();
}

void UseMovingAverages::trigger() {
  const Swapped averages(trainer());
  inner().trigger();
}

}  // namespace belfry
