#include "belfry/layers/dropout.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/tower.h"
#include "belfry/ops/array.h"
#include "belfry/ops/math.h"
#include "belfry/ops/nn.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/random.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

NumberOrTensor rate_of(const std::string& who, const DropoutOptions& options) {
  if (!options.keep_prob) return *options.rate;
  if (options.rate.is_set())
    throw UsageError(fmt::format("[{}] expected .rate or .keep_prob, got both", who));
  if (options.keep_prob->is_tensor()) return 1 - options.keep_prob->tensor;
  return 1 - options.keep_prob->number;
}

/// `x` with 1 of each dimension along which elements share their noise.
Tensor like_noise(const std::string& who, const Tensor& x, const Shape& noise_shape) {
  if (noise_shape.empty()) return x;
  if (noise_shape.size() != x.shape().size()) {
    throw UsageError(fmt::format("[{}] expected a .noise_shape of {} sizes, got {}", who, x.rank(),
                                 to_string(noise_shape)));
  }
  std::vector<int64_t> begin(noise_shape.size(), 0), size(noise_shape.size(), -1);
  for (size_t i = 0; i < size.size(); ++i) size[i] = noise_shape[i] == 1 ? 1 : -1;
  return slice(x, begin, size);
}

Tensor drop(const std::string& who, const Tensor& x, const Tensor& rate, const DropoutOptions& options) {
  if (rate.rank() != 0 || !c10::isFloatingType(rate.dtype())) {
    throw UsageError(
        fmt::format("[{}] expected a probability, a scalar of floating point, got {}", who, describe(rate)));
  }
  const Tensor probability = cast(rate, x.dtype());
  const Tensor noise = random_uniform_like(stop_gradient(like_noise(who, x, *options.noise_shape)), 0, 1,
                                           {.seed = options.seed});
  return where(greater_equal(noise, probability), x / (1 - probability), 0);
}

}  // namespace

Tensor detail::build_dropout(const std::string& who, const Tensor& x, const DropoutOptions& options) {
  const NumberOrTensor rate = rate_of(who, options);
  const bool is_tensor = rate.is_tensor();
  if (!is_tensor && !(rate.number >= 0 && rate.number < 1))
    throw UsageError(fmt::format("[{}] expected .rate in [0, 1), got {}", who, rate.number));
  const bool training = options.training ? *options.training : current_tower_context(who).is_training();
  if (!training || (!is_tensor && rate.number == 0)) return x;
  if (is_tensor) return drop(who, x, rate.tensor, options);
  return dropout(x, rate.number, {.seed = options.seed, .noise_shape = *options.noise_shape});
}

}  // namespace belfry
