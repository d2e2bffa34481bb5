#pragma once

#include <optional>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"

namespace belfry {

/// What a BatchNorm that uses the statistics of the batch does with its moving averages. Only the first
/// training tower, or a tower that does not train, does anything.
enum class EmaUpdate {
  kCollection,  ///< adds the update to kUpdateOps, which the trainer runs with each step
  kInternal,    ///< updates whenever the layer's output is computed
  kSkip,        ///< nothing
};

struct BatchNormOptions {
  /// true: normalise with the statistics of the batch; false: with the moving averages, also in training.
  /// Default: whether the tower trains.
  std::optional<bool> training = {};
  std::optional<double> momentum = {};                ///< of the moving averages; default 0.9
  std::optional<double> epsilon = {};                 ///< default 1e-5
  std::optional<bool> center = {};                    ///< whether there is "beta"; default true
  std::optional<bool> scale = {};                     ///< whether there is "gamma"; default true
  std::optional<Initializer> beta_initializer = {};   ///< default zeros
  std::optional<Initializer> gamma_initializer = {};  ///< default ones
  std::optional<std::string> data_format = {};        ///< of 4-D inputs; default "channels_last"
  std::optional<EmaUpdate> ema_update = {};           ///< default kCollection

  struct Resolved;
  /// These options with the defaults for what is open; `training` is asked of the current tower. Throws
  /// UsageError, starting with `who`, when there is none, or a value is out of range.
  Resolved resolve(const std::string& who) const;
};

struct BatchNormOptions::Resolved {
  bool training;
  double momentum, epsilon;
  bool center, scale;
  Initializer beta_initializer, gamma_initializer;
  std::string data_format;  ///< in the words of operators
  EmaUpdate ema_update;
};

namespace internal {
Tensor build_batch_norm(const std::string& who, const Tensor& x, const BatchNormOptions& options);
}

/// Batch normalisation of [N, C] or images, over all dimensions but the channels. Variables: "gamma", "beta",
/// "mean/EMA", "variance/EMA", all [C]. The moving variance averages what TensorFlow averages: the unbiased
/// variance for images (its fused kernel), the biased one for [N, C].
inline constexpr Layer<BatchNormOptions> BatchNorm{"BatchNorm", internal::build_batch_norm};

}  // namespace belfry
