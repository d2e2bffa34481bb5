#pragma once

#include <cstdint>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/option.h"
#include "belfry/ops/initializers.h"

namespace belfry {

enum class NormKind { kLayer, kInstance };

/// The options of LayerNorm and InstanceNorm: two types, so that an ArgScope can tell them apart.
template <NormKind kind>
struct NormOptions {
  Option<double> epsilon = by_default(1e-5);
  Option<bool> center = by_default(true);  ///< whether there is "beta"
  Option<bool> scale = by_default(true);   ///< whether there is "gamma"
  Option<Initializer> gamma_initializer = by_default(ones_initializer());
  Option<std::string> data_format = by_default("channels_last");  ///< of 4-D inputs
};
using LayerNormOptions = NormOptions<NormKind::kLayer>;
using InstanceNormOptions = NormOptions<NormKind::kInstance>;

struct GroupNormOptions {
  Option<int64_t> groups = by_default(int64_t{32});  ///< must divide the number of channels
  Option<double> epsilon = by_default(1e-5);
  Option<bool> center = by_default(true);  ///< whether there is "beta"
  Option<bool> scale = by_default(true);   ///< whether there is "gamma"
  Option<Initializer> gamma_initializer = by_default(ones_initializer());
  Option<std::string> data_format = by_default("channels_last");
};

namespace detail {
Tensor build_group_norm(const std::string& who, const Tensor& x, const GroupNormOptions& options);
Tensor build_layer_norm(const std::string& who, const Tensor& x, const LayerNormOptions& options);
Tensor build_instance_norm(const std::string& who, const Tensor& x, const InstanceNormOptions& options);
}  // namespace detail

/// Normalises each sample of images or [N, C] over all its elements (Ba et al., 2016). Variables: "gamma",
/// "beta", [C].
inline constexpr Layer<LayerNormOptions> LayerNorm{"LayerNorm", detail::build_layer_norm};
/// Normalises each channel of each image over its height and width (Ulyanov et al., 2016). Variables:
/// "gamma", "beta", [C].
inline constexpr Layer<InstanceNormOptions> InstanceNorm{"InstanceNorm", detail::build_instance_norm};
/// Normalises groups of neighbouring channels of each image over its height and width (Wu & He, 2018).
/// Variables: "gamma", "beta", [C].
inline constexpr Layer<GroupNormOptions> GroupNorm{"GroupNorm", detail::build_group_norm};

}  // namespace belfry
