#include "belfry/layers/layer_norm.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/layers/options.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/nn.h"

namespace belfry {
namespace {

struct Resolved {
  double epsilon;
  bool center, scale;
  Initializer gamma_initializer;
  std::string data_format;  ///< in the words of operators
};

template <NormKind kind>
Resolved resolve(const std::string& who, const NormOptions<kind>& options) {
  const double epsilon = options.epsilon.value_or(1e-5);
  if (!(epsilon > 0)) throw UsageError(fmt::format("[{}] expected .epsilon > 0, got {}", who, epsilon));
  return {epsilon, options.center.value_or(true), options.scale.value_or(true),
          options.gamma_initializer.value_or(ones_initializer()),
          data_format_for_ops(who, options.data_format.value_or("channels_last"))};
}

Tensor normalize_groups(const std::string& who, const Tensor& x, int64_t channels, int64_t groups,
                        const Resolved& options) {
  const DType dtype = variable_dtype(who, x);
  Tensor gamma, beta;
  if (options.scale) {
    gamma = get_variable("gamma", {channels}, {.dtype = dtype, .initializer = options.gamma_initializer});
  }
  if (options.center) {
    beta = get_variable("beta", {channels}, {.dtype = dtype, .initializer = zeros_initializer()});
  }
  return group_norm(x, gamma, beta,
                    {.groups = groups, .epsilon = options.epsilon, .data_format = options.data_format});
}

}  // namespace

Tensor internal::build_layer_norm(const std::string& who, const Tensor& x, const LayerNormOptions& given) {
  const Resolved options = resolve(who, given);
  return normalize_groups(who, x, channels_of(who, x, options.data_format), /*groups=*/1, options);
}

Tensor internal::build_instance_norm(const std::string& who, const Tensor& x,
                                     const InstanceNormOptions& given) {
  const Resolved options = resolve(who, given);
  const int64_t channels = image_channels(who, x, options.data_format);
  return normalize_groups(who, x, channels, /*groups=*/channels, options);
}

}  // namespace belfry
