#include "belfry/layers/layer_norm.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/layers/options.h"
#include "belfry/ops/nn.h"

namespace belfry {
namespace {

// Not written out in normalize, as gcc 12 ends with an internal error at such a list in a template.
Tensor channel_variable(const char* name, int64_t channels, DType dtype, const Initializer& initializer) {
  return get_variable(name, {channels}, {.dtype = dtype, .initializer = initializer});
}

/// `options`: those of any of the layers here.
template <typename Options>
Tensor normalize(const std::string& who, const Tensor& x, int64_t channels, int64_t groups,
                 const Options& options) {
  if (!(*options.epsilon > 0)) {
    throw UsageError(fmt::format("[{}] expected .epsilon > 0, got {}", who, *options.epsilon));
  }
  const DType dtype = variable_dtype(who, x);
  Tensor gamma, beta;
  if (*options.scale) gamma = channel_variable("gamma", channels, dtype, *options.gamma_initializer);
  if (*options.center) beta = channel_variable("beta", channels, dtype, zeros_initializer());
  return group_norm(x, gamma, beta,
                    {.groups = groups,
                     .epsilon = *options.epsilon,
                     .data_format = data_format_for_ops(who, *options.data_format)});
}

}  // namespace

Tensor detail::build_layer_norm(const std::string& who, const Tensor& x, const LayerNormOptions& options) {
  const int64_t channels = channels_of(who, x, data_format_for_ops(who, *options.data_format));
  return normalize(who, x, channels, /*groups=*/1, options);
}

Tensor detail::build_instance_norm(const std::string& who, const Tensor& x,
                                   const InstanceNormOptions& options) {
  const int64_t channels = image_channels(who, x, data_format_for_ops(who, *options.data_format));
  return normalize(who, x, channels, /*groups=*/channels, options);
}

Tensor detail::build_group_norm(const std::string& who, const Tensor& x, const GroupNormOptions& options) {
  const int64_t channels = image_channels(who, x, data_format_for_ops(who, *options.data_format));
  if (*options.groups < 1 || channels % *options.groups != 0) {
    throw UsageError(
        fmt::format("[{}] expected .groups that divide {} channels, got {}", who, channels, *options.groups));
  }
  return normalize(who, x, channels, *options.groups, options);
}

}  // namespace belfry
