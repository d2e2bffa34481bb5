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

template <NormKind kind>
Tensor normalize(const std::string& who, const Tensor& x, const NormOptions<kind>& options) {
  if (!(*options.epsilon > 0)) {
    throw UsageError(fmt::format("[{}] expected .epsilon > 0, got {}", who, *options.epsilon));
  }
  const std::string data_format = data_format_for_ops(who, *options.data_format);
  constexpr bool each_channel = kind == NormKind::kInstance;
  const int64_t channels =
      each_channel ? image_channels(who, x, data_format) : channels_of(who, x, data_format);
  const DType dtype = variable_dtype(who, x);
  Tensor gamma, beta;
  if (*options.scale) gamma = channel_variable("gamma", channels, dtype, *options.gamma_initializer);
  if (*options.center) beta = channel_variable("beta", channels, dtype, zeros_initializer());
  return group_norm(
      x, gamma, beta,
      {.groups = each_channel ? channels : 1, .epsilon = *options.epsilon, .data_format = data_format});
}

}  // namespace

Tensor detail::build_layer_norm(const std::string& who, const Tensor& x, const LayerNormOptions& options) {
  return normalize(who, x, options);
}

Tensor detail::build_instance_norm(const std::string& who, const Tensor& x,
                                   const InstanceNormOptions& options) {
  return normalize(who, x, options);
}

}  // namespace belfry
