#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"
#include "belfry/optim/proxy_optimizer.h"

namespace belfry {

struct MovingAverageOptions {
  double decay = 0.999;  ///< in [0, 1)
  /// Where it is given, a scalar that counts updates, the decay is at most (1 + n) / (10 + n): averages
  /// follow quickly at first.
  Tensor num_updates = {};
};

/// Averages of variables over the steps, as tf.train.ExponentialMovingAverage keeps them: average -= (1 -
/// decay) * (average - variable). An average is a variable too, "<variable>/ExponentialMovingAverage", that
/// begins with its variable's first value; checkpoints hold it.
///
///     Tensor train = optimizer.minimize(loss);
///     ControlDependencies after({train});
///     Tensor both = averages.apply();
///
/// MovingAverageOptimizer does this for trainers; UseMovingAverages evaluates with the averages, and
/// RestoreMovingAverages loads them for prediction.
class ExponentialMovingAverage {
 public:
  /// Throws UsageError for a decay out of range, and for num_updates that is no scalar.
  explicit ExponentialMovingAverage(MovingAverageOptions options = {});

  /// The name of the average of a variable of that name.
  static std::string average_name(const std::string& variable) {
    return variable + "/ExponentialMovingAverage";
  }
  /// The variables of a graph that have an average, each with its average.
  static std::vector<std::pair<Variable, Variable>> averages_in(const Graph& graph);

  /// An operation that updates the averages of `variables`, which are created now; empty: those of all
  /// trainable variables of the default graph. Throws UsageError for variables that are no floating point
  /// ones, or have an average already.
  Tensor apply(const std::vector<Variable>& variables = {});

 private:
  Tensor weight() const;
  MovingAverageOptions options_;
};

/// Updates averages of the variables after each update of another optimizer.
class MovingAverageOptimizer : public ProxyOptimizer {
 public:
  /// Throws UsageError when `optimizer` is null, and what ExponentialMovingAverage does.
  MovingAverageOptimizer(std::unique_ptr<Optimizer> optimizer, MovingAverageOptions options = {});

  using Optimizer::apply_gradients;
  Tensor apply_gradients(const GradientsAndVariables& gradients, const ApplyOptions& options) override;

 private:
  ExponentialMovingAverage averages_;
};

}  // namespace belfry
