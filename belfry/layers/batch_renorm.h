#pragma once

#include <string>

#include "belfry/graph/variable.h"
#include "belfry/layers/layer.h"
#include "belfry/layers/number_or_tensor.h"
#include "belfry/layers/option.h"
#include "belfry/ops/initializers.h"

namespace belfry {

struct BatchRenormOptions {
  Option<NumberOrTensor> rmax = {};           ///< largest correction of the scale, 1 or more; required
  Option<NumberOrTensor> dmax = {};           ///< largest correction of the offset, 0 or more; required
  Option<double> momentum = by_default(0.9);  ///< of the averages that prediction uses
  Option<double> epsilon = by_default(1e-5);
  Option<bool> center = by_default(true);  ///< whether there is "beta"
  Option<bool> scale = by_default(true);   ///< whether there is "gamma"
  Option<Initializer> gamma_initializer = by_default(ones_initializer());
  Option<std::string> data_format = by_default("channels_last");  ///< of 4-D inputs
};

namespace detail {
Tensor build_batch_renorm(const std::string& who, const Tensor& x, const BatchRenormOptions& options);
}

/// Batch renormalisation of [N, C] or images (Ioffe, 2017): batch normalisation whose result is corrected
/// towards what the averages of the batches before give. Variables, all [C]: "gamma", "beta", "moving_mean",
/// "moving_variance", "moving_stddev", which prediction uses, and "renorm_mean", "renorm_stddev", whose
/// momentum is 0.99. In the first training tower their updates are added to kUpdateOps.
inline constexpr Layer<BatchRenormOptions> BatchRenorm{"BatchRenorm", detail::build_batch_renorm};

}  // namespace belfry
