#pragma once

#include "belfry/ops/initializers.h"

namespace belfry::internal {

/// tensorpack's default for weights: a normal of variance 2 / fan in (He et al., 2015), not truncated.
inline Initializer default_kernel_initializer() {
  return variance_scaling_initializer(
      {.scale = 2.0, .mode = FanMode::kIn, .distribution = Distribution::kUntruncatedNormal});
}

}  // namespace belfry::internal
