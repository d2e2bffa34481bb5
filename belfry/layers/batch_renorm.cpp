#include "belfry/layers/batch_renorm.h"

#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/options.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

// As TensorFlow's layer has it, which tensorpack calls: the corrections r and d, through which no gradient
// flows, act on the scale and the offset.

namespace belfry {
namespace {

constexpr double kRenormMomentum = 0.99;

struct Averages {
  Variable moving_mean, moving_variance, moving_stddev, renorm_mean, renorm_stddev;
};

Averages get_averages(int64_t channels, DType dtype) {
  const auto average = [&](const char* name, const Initializer& initializer) {
    return get_variable(name, {channels},
                        {.dtype = dtype,
                         .initializer = initializer,
                         .trainable = false,
                         .collections = {kGlobalVariables, kModelVariables}});
  };
  return {.moving_mean = average("moving_mean", zeros_initializer()),
          .moving_variance = average("moving_variance", ones_initializer()),
          .moving_stddev = average("moving_stddev", ones_initializer()),
          .renorm_mean = average("renorm_mean", zeros_initializer()),
          .renorm_stddev = average("renorm_stddev", ones_initializer())};
}

/// A limit as a scalar that operators take.
Tensor scalar(const std::string& who, const char* option, const Option<NumberOrTensor>& value, double least,
              DType dtype) {
  const NumberOrTensor& given = required_option(who, option, value);
  if (!given.is_tensor()) {
    if (!(given.number >= least))
      throw UsageError(
          fmt::format("[{}] expected .{} of {} or more, got {}", who, option, least, given.number));
    return constant(given.number, dtype);
  }
  if (given.tensor.rank() != 0) {
    throw UsageError(
        fmt::format("[{}] expected a scalar for .{}, got {}", who, option, describe(given.tensor)));
  }
  return cast(given.tensor, dtype);
}

/// average = momentum * average + (1 - momentum) * value
Tensor update(const Variable& average, const Tensor& value, double momentum) {
  return call("aten::lerp_.Scalar", {average, stop_gradient(value)}, {{"weight", 1 - momentum}},
              "update_moving_average");
}

/// The updates of all averages, each after `corrections` have read them.
std::vector<Tensor> updates_of(const Averages& averages, const Tensor& mean, const Tensor& stddev,
                               const std::vector<Tensor>& corrections, const BatchRenormOptions& options) {
  const ControlDependencies after(corrections);
  const double momentum = *options.momentum;
  const Tensor moving_stddev = update(averages.moving_stddev, stddev, momentum);
  return {update(averages.renorm_mean, mean, kRenormMomentum),
          update(averages.renorm_stddev, stddev, kRenormMomentum),
          update(averages.moving_mean, mean, momentum),
          assign(averages.moving_variance, relu(square(moving_stddev) - *options.epsilon))};
}

}  // namespace

Tensor detail::build_batch_renorm(const std::string& who, const Tensor& x,
                                  const BatchRenormOptions& options) {
  const TowerContext& tower = current_tower_context(who);
  const std::string data_format = data_format_for_ops(who, *options.data_format);
  if (!(*options.momentum >= 0 && *options.momentum <= 1) || !(*options.epsilon > 0)) {
    throw UsageError(fmt::format("[{}] expected .momentum in [0, 1] and .epsilon > 0, got {} and {}", who,
                                 *options.momentum, *options.epsilon));
  }
  const int64_t channels = channels_of(who, x, data_format);
  const DType dtype = variable_dtype(who, x);
  const Tensor rmax = scalar(who, "rmax", options.rmax, 1, dtype);
  const Tensor dmax = scalar(who, "dmax", options.dmax, 0, dtype);
  const Tensor gamma = *options.scale
                           ? Tensor(get_variable("gamma", {channels},
                                                 {.dtype = dtype, .initializer = *options.gamma_initializer}))
                           : ones({channels}, dtype);
  const Tensor beta =
      *options.center
          ? Tensor(get_variable("beta", {channels}, {.dtype = dtype, .initializer = zeros_initializer()}))
          : zeros({channels}, dtype);
  const Averages averages = get_averages(channels, dtype);
  const BatchNormAttributes attributes{.epsilon = *options.epsilon, .data_format = data_format};
  if (!tower.is_training())
    return batch_norm(x, averages.moving_mean, averages.moving_variance, gamma, beta, attributes);

  const bool nchw = x.rank() == 4 && data_format == "NCHW";
  const auto [mean, variance] = moments(x, x.rank() == 2 ? Axes{0} : nchw ? Axes{0, 2, 3} : Axes{0, 1, 2});
  const Tensor stddev = sqrt(variance + *options.epsilon);
  const Tensor least = constant(std::sqrt(*options.epsilon), dtype);
  const Tensor average_stddev = maximum(averages.renorm_stddev, least);
  const Tensor r = stop_gradient(minimum(maximum(stddev / average_stddev, 1 / rmax), rmax));
  const Tensor d =
      stop_gradient(minimum(maximum((mean - averages.renorm_mean) / average_stddev, -dmax), dmax));
  if (tower.is_main_training_tower()) {
    for (const Tensor& operation : updates_of(averages, mean, stddev, {r, d}, options))
      default_graph().add_to_collection(kUpdateOps, operation);
  }
  return batch_norm(x, mean, variance, r * gamma, d * gamma + beta, attributes);
}

}  // namespace belfry
