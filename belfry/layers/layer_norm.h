#pragma once

#include <optional>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"

namespace belfry {

enum class NormKind { kLayer, kInstance };

/// The options of LayerNorm and InstanceNorm: two types, so that an ArgScope can tell them apart.
template <NormKind kind>
struct NormOptions {
  std::optional<double> epsilon = {};                 ///< default 1e-5
  std::optional<bool> center = {};                    ///< whether there is "beta"; default true
  std::optional<bool> scale = {};                     ///< whether there is "gamma"; default true
  std::optional<Initializer> gamma_initializer = {};  ///< default ones
  std::optional<std::string> data_format = {};        ///< of 4-D inputs; default "channels_last"
};
using LayerNormOptions = NormOptions<NormKind::kLayer>;
using InstanceNormOptions = NormOptions<NormKind::kInstance>;

namespace internal {
Tensor build_layer_norm(const std::string& who, const Tensor& x, const LayerNormOptions& options);
Tensor build_instance_norm(const std::string& who, const Tensor& x, const InstanceNormOptions& options);
}  // namespace internal

/// Normalises each sample of images or [N, C] over all its elements (Ba et al., 2016). Variables: "gamma",
/// "beta", [C].
inline constexpr Layer<LayerNormOptions> LayerNorm{"LayerNorm", internal::build_layer_norm};
/// Normalises each channel of each image over its height and width (Ulyanov et al., 2016). Variables:
/// "gamma", "beta", [C].
inline constexpr Layer<InstanceNormOptions> InstanceNorm{"InstanceNorm", internal::build_instance_norm};

}  // namespace belfry
