#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/options.h"

namespace belfry {

struct FullyConnectedOptions {
  std::optional<int64_t> units = {};                   ///< number of outputs; required
  OptionalActivation activation = {};                  ///< default none
  std::optional<bool> use_bias = {};                   ///< default true
  std::optional<Initializer> kernel_initializer = {};  ///< default: normal of variance 2 / fan in
  std::optional<Initializer> bias_initializer = {};    ///< default zeros
  std::optional<Regularizer> kernel_regularizer = {};  ///< default none
  std::optional<Regularizer> bias_regularizer = {};    ///< default none
  /// Of the layer's outcome; its loss counts per sample of the batch. Default none.
  std::optional<Regularizer> activity_regularizer = {};

  struct Resolved;
  /// These options with the defaults for what is open. Throws UsageError, starting with `who`, when `units`
  /// is.
  Resolved resolve(const std::string& who) const;
};

struct FullyConnectedOptions::Resolved {
  int64_t units;
  Activation activation;
  bool use_bias;
  Initializer kernel_initializer, bias_initializer;
  Regularizer kernel_regularizer, bias_regularizer, activity_regularizer;
};

namespace internal {
Tensor build_fully_connected(const std::string& who, const Tensor& x, const FullyConnectedOptions& options);
}

/// x W + b, of inputs flattened to [N, in] ([N] to [N, 1]), whose size must be static. Variables: "W" [in,
/// units], "b" [units].
inline constexpr Layer<FullyConnectedOptions> FullyConnected{"FullyConnected",
                                                             internal::build_fully_connected};

}  // namespace belfry
