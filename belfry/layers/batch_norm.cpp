#include "belfry/layers/batch_norm.h"

#include <fmt/format.h>

#include <algorithm>

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

// One node normalises by its own statistics, and gives these for the moving averages. Invariant: in
// inference, and with .training = false, a layer reads the averages and writes nothing. Source: Ioffe and
// Szegedy, "Batch Normalization" (2015); names, defaults and which variance is unbiased: tensorpack's
// BatchNorm on TensorFlow.

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
  return call("aten::lerp_.Scalar", {average.tensor(), value}, {{"weight", 1 - momentum}},
              "update_moving_average");
}

/// The data format of channels in dimension `axis`, where that is given.
std::string format_of(const std::string& who, const Tensor& x, const BatchNormOptions& options) {
  const std::string format = data_format_for_ops(who, *options.data_format);
  if (!options.axis) return format;
  const int64_t axis = *options.axis;
  if (axis != 1 && !(axis == 3 && x.rank() == 4))
    throw UsageError(
        fmt::format("[{}] expected .axis of 1, or 3 of images, got {} of {}", who, axis, describe(x)));
  return axis == 3 ? "NHWC" : x.rank() == 4 ? "NCHW" : format;
}

/// `x` [N, ...] as [N / size, size, ...].
Tensor in_parts(const std::string& who, const Tensor& x, int64_t size) {
  if (size < 1 || (x.dim(0) != kDynamic && x.dim(0) % size != 0)) {
    throw UsageError(fmt::format("[{}] expected a .virtual_batch_size that divides the batch, got {} of {}",
                                 who, size, describe(x)));
  }
  Shape known = x.shape();
  known[0] = known[0] == kDynamic ? kDynamic : known[0] / size;
  known.insert(known.begin() + 1, size);
  if (std::ranges::count(known, kDynamic) == 0) return reshape(x, known);
  const Tensor rest = slice(shape(x), {1}, {x.rank() - 1});
  return reshape(x, RunTimeShape(concat({constant(std::vector<int64_t>{known[0], size}), rest}, 0), known));
}

/// Each part by its own statistics.
BatchNormOutputs normalize_parts(const std::string& who, const Tensor& x, const Variables& variables,
                                 const std::string& data_format, const BatchNormOptions& options) {
  const Tensor parts = in_parts(who, x, *options.virtual_batch_size);
  const bool nchw = x.rank() == 4 && data_format == "NCHW";
  const Axes axes = x.rank() == 2 ? Axes{1} : nchw ? Axes{1, 3, 4} : Axes{1, 2, 3};
  const auto [mean, variance] = moments(parts, axes, {.keep_dims = true});
  Shape by_channel(parts.shape().size(), 1);
  by_channel[nchw ? 2 : by_channel.size() - 1] = -1;
  Tensor y = (parts - mean) * rsqrt(variance + *options.epsilon);
  if (variables.gamma) y = y * reshape(variables.gamma, by_channel);
  if (variables.beta) y = y + reshape(variables.beta, by_channel);
  const bool is_static = std::ranges::count(x.shape(), kDynamic) == 0;
  return {.y = is_static ? reshape(y, x.shape()) : reshape(y, RunTimeShape(shape(x), x.shape())),
          .mean = stop_gradient(reshape(select(mean, 0), {-1})),
          .variance = stop_gradient(reshape(select(variance, 0), {-1}))};
}

}  // namespace

Tensor detail::build_batch_norm(const std::string& who, const Tensor& x, const BatchNormOptions& options) {
  const TowerContext& tower = current_tower_context(who);
  const std::string data_format = format_of(who, x, options);
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

  const bool in_virtual_batches = options.virtual_batch_size.has_value();
  if (in_virtual_batches && *options.sync_statistics)
    throw UsageError(fmt::format("[{}] expected .virtual_batch_size or .sync_statistics, got both", who));
  const BatchNormOutputs batch = in_virtual_batches ? normalize_parts(who, x, variables, data_format, options)
                                 : *options.sync_statistics
                                     ? normalize_by_all(x, variables, attributes)
                                     : batch_norm_training(x, variables.gamma, variables.beta, attributes);
  const bool updates = tower.is_main_training_tower() || !tower.is_training();
  if (!updates || *options.ema_update == EmaUpdate::kSkip) return batch.y;
  const std::vector<Tensor> operations = {
      update_moving_average(variables.mean, batch.mean, *options.momentum),
      update_moving_average(variables.variance, batch.variance, *options.momentum)};
  if (*options.ema_update == EmaUpdate::kCollection && !in_virtual_batches) {
    for (const Tensor& operation : operations) default_graph().add_to_collection(kUpdateOps, operation);
    return batch.y;
  }
  ControlDependencies after(operations);
  return identity(batch.y, "updated");
}

}  // namespace belfry
