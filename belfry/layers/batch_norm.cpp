#include "belfry/layers/batch_norm.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/tower.h"
#include "belfry/layers/options.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

namespace belfry {

namespace {

void check(const std::string& who, const BatchNormOptions& options) {
  if (!(*options.momentum >= 0 && *options.momentum <= 1) || !(*options.epsilon > 0)) {
    throw UsageError(fmt::format("[{}] expected .momentum in [0, 1] and .epsilon > 0, got {} and {}", who,
                                 *options.momentum, *options.epsilon));
  }
}

struct Variables {
  Tensor gamma, beta;  ///< may be none
  Variable mean, variance;
};

Variables get_variables(int64_t channels, DType dtype, const BatchNormOptions& options) {
  Variables variables;
  if (*options.scale) {
    variables.gamma =
        get_variable("gamma", {channels}, {.dtype = dtype, .initializer = *options.gamma_initializer});
  }
  if (*options.center) {
    variables.beta =
        get_variable("beta", {channels}, {.dtype = dtype, .initializer = *options.beta_initializer});
  }
  auto moving_average = [&](const std::string& name, const Initializer& initializer) {
    return get_variable(name, {channels},
                        {.dtype = dtype,
                         .initializer = initializer,
                         .trainable = false,
                         .collections = {kGlobalVariables, kModelVariables}});
  };
  variables.mean = moving_average("mean/EMA", zeros_initializer());
  variables.variance = moving_average("variance/EMA", ones_initializer());
  return variables;
}

/// Kept with a graph, so that the warning is given once for all its layers.
struct FrozenWarning {
  bool given = false;
};

void warn_of_frozen_layer() {
  bool& given = default_graph().extension<FrozenWarning>().given;
  if (!given) log_warning("Some BatchNorm layer uses its moving averages in training.");
  given = true;
}

/// Statistics of the batches of all processes, from their sums, in float64 as they may cancel. `y` and what
/// flows back through the statistics are differentiable, `mean` and `variance` are meant for the averages.
BatchNormOutputs normalize_by_all(const Tensor& x, const Variables& variables,
                                  const BatchNormAttributes& attributes) {
  const int64_t channel_axis = attributes.data_format == "NHWC" ? x.rank() - 1 : 1;
  const int64_t channels = x.dim(channel_axis);
  std::vector<int64_t> axes;
  for (int64_t axis = 0; axis < x.rank(); ++axis) {
    if (axis != channel_axis) axes.push_back(axis);
  }
  const auto [mean_here, variance_here] = moments(x, axes);
  const Tensor local_mean = cast(mean_here, kFloat64), local_variance = cast(variance_here, kFloat64);
  const Tensor count = cast(size(x), kFloat64) * (1.0 / static_cast<double>(channels));
  const Tensor sums = call(
      "belfry::all_reduce",
      {concat({local_mean * count, (local_variance + square(local_mean)) * count, reshape(count, {1})}, 0)});
  const Tensor total = slice(sums, {2 * channels}, {1});
  const Tensor mean = slice(sums, {0}, {channels}) / total;
  const Tensor variance = maximum(slice(sums, {channels}, {channels}) / total - square(mean), 0);
  const DType dtype = variables.mean.dtype();
  BatchNormOutputs result{.mean = stop_gradient(cast(mean, dtype))};
  result.y =
      batch_norm(x, cast(mean, dtype), cast(variance, dtype), variables.gamma, variables.beta, attributes);
  const Tensor correction = attributes.unbiased_variance ? total / maximum(total - 1.0, 1) : Tensor();
  result.variance = stop_gradient(cast(correction ? variance * correction : variance, dtype));
  return result;
}

/// average = momentum * average + (1 - momentum) * value
Tensor update_moving_average(const Variable& average, const Tensor& value, double momentum) {
  return call("aten::lerp_.Scalar", {average, value}, {{"weight", 1 - momentum}}, "update_moving_average");
}

}  // namespace

Tensor detail::build_batch_norm(const std::string& who, const Tensor& x, const BatchNormOptions& options) {
  const TowerContext& tower = current_tower_context(who);
  const std::string data_format = data_format_for_ops(who, *options.data_format);
  check(who, options);
  const int64_t channels = channels_of(who, x, data_format);
  const DType dtype = c10::isReducedFloatingType(variable_dtype(who, x)) ? kFloat32 : x.dtype();
  const Variables variables = get_variables(channels, dtype, options);
  // TensorFlow normalises images with its fused operator, which gives the unbiased variance, and the rest
  // (float64 too) with plain ones, which give the biased one.
  const BatchNormAttributes attributes{.epsilon = *options.epsilon,
                                       .data_format = data_format,
                                       .unbiased_variance = x.rank() == 4 && x.dtype() != kFloat64};
  if (!options.training.value_or(tower.is_training())) {
    if (tower.is_main_training_tower()) warn_of_frozen_layer();
    return batch_norm(x, variables.mean, variables.variance, variables.gamma, variables.beta, attributes);
  }

  const BatchNormOutputs batch = *options.sync_statistics
                                     ? normalize_by_all(x, variables, attributes)
                                     : batch_norm_training(x, variables.gamma, variables.beta, attributes);
  const bool updates = tower.is_main_training_tower() || !tower.is_training();
  if (!updates || *options.ema_update == EmaUpdate::kSkip) return batch.y;
  const std::vector<Tensor> operations = {
      update_moving_average(variables.mean, batch.mean, *options.momentum),
      update_moving_average(variables.variance, batch.variance, *options.momentum)};
  if (*options.ema_update == EmaUpdate::kCollection) {
    for (const Tensor& operation : operations) default_graph().add_to_collection(kUpdateOps, operation);
    return batch.y;
  }
  ControlDependencies after(operations);
  return identity(batch.y, "updated");
}

}  // namespace belfry
