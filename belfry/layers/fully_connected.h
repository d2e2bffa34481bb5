#pragma once

#include <cstdint>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/options.h"
#include "belfry/ops/initializers.h"

namespace belfry {

struct FullyConnectedOptions {
  Option<int64_t> units = {};  ///< number of outputs; required
  Option<Activation> activation = by_default(nullptr);
  Option<bool> use_bias = by_default(true);
  Option<Initializer> kernel_initializer = by_default(detail::default_kernel_initializer());
  Option<Initializer> bias_initializer = by_default(zeros_initializer());
  Option<Regularizer> kernel_regularizer = by_default(nullptr);
  Option<Regularizer> bias_regularizer = by_default(nullptr);
  /// Of the layer's outcome; its loss counts per sample of the batch.
  Option<Regularizer> activity_regularizer = by_default(nullptr);
};

namespace detail {
Tensor build_fully_connected(const std::string& who, const Tensor& x, const FullyConnectedOptions& options);
}

/// x W + b, of inputs flattened to [N, in] ([N] to [N, 1]), whose size must be static. Variables: "W" [in,
/// units], "b" [units].
inline constexpr Layer<FullyConnectedOptions> FullyConnected{"FullyConnected", detail::build_fully_connected};

}  // namespace belfry
