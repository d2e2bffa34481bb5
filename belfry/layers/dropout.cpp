#include "belfry/layers/dropout.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/tower.h"
#include "belfry/ops/nn.h"

namespace belfry {

Tensor detail::build_dropout(const std::string& who, const Tensor& x, const DropoutOptions& options) {
  const double rate = *options.rate;
  if (!(rate >= 0 && rate < 1)) {
    throw UsageError(fmt::format("[{}] expected .rate in [0, 1), got {}", who, rate));
  }
  const bool training = options.training ? *options.training : current_tower_context(who).is_training();
  if (!training || rate == 0) return x;
  return dropout(x, rate, {.seed = options.seed, .noise_shape = *options.noise_shape});
}

}  // namespace belfry
