#pragma once

#include <cstdint>
#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/option.h"
#include "belfry/ops/initializers.h"

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
  Option<bool> training = {};
  Option<double> momentum = by_default(0.9);  ///< of the moving averages
  Option<double> epsilon = by_default(1e-5);
  Option<bool> center = by_default(true);  ///< whether there is "beta"
  Option<bool> scale = by_default(true);   ///< whether there is "gamma"
  Option<Initializer> beta_initializer = by_default(zeros_initializer());
  Option<Initializer> gamma_initializer = by_default(ones_initializer());
  Option<std::string> data_format = by_default("channels_last");  ///< of 4-D inputs
  Option<EmaUpdate> ema_update = by_default(EmaUpdate::kCollection);
  /// Statistics of the batches of all processes of a distributed training, whatever their sizes, with the
  /// exact derivative: one message forward and one backward.
  Option<bool> sync_statistics = by_default(false);
  Option<int64_t> axis = {};  ///< the dimension of the channels, 1 or 3; default: by `data_format`
  /// Normalises so many samples at a time, when it uses statistics of the batch, whose size it must divide
  /// ("Ghost BatchNorm"). The averages are of the first of these parts, and, unless skipped, updated
  /// whenever the layer's output is computed.
  Option<int64_t> virtual_batch_size = {};
};

namespace detail {
Tensor build_batch_norm(const std::string& who, const Tensor& x, const BatchNormOptions& options);
}

/// Batch normalisation of [N, C] or images, over all dimensions but the channels. Variables: "gamma", "beta",
/// "mean/EMA", "variance/EMA", all [C]. The moving variance averages what TensorFlow averages: the unbiased
/// variance for images (its fused kernel), the biased one for [N, C].
inline constexpr Layer<BatchNormOptions> BatchNorm{"BatchNorm", detail::build_batch_norm};

}  // namespace belfry
