#pragma once

#include <cstdint>
#include <memory>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// Group normalisation (Wu and He, 2018) of dense samples [pixels, channels]: y = (x - mean) / sqrt(variance
/// + epsilon) * scale + offset, with the mean and variance of each group of neighbouring channels of a
/// sample, and a scale and offset of each channel. One group of one pixel is layer normalisation (Ba et al.,
/// 2016).
struct GroupNorm {
  int64_t samples, pixels, channels, groups;  ///< the groups divide the channels
  double epsilon;
};

/// Forward: `scale` and `offset` may be none, which are 1 and 0. Dense float32, but `mean` and `inverse`,
/// which is 1 / sqrt(variance + epsilon), are float64 [samples, groups].
struct GroupNormTensors {
  TensorView x, scale, offset, y, mean, inverse;
};
std::unique_ptr<Instruction> make_group_norm(const GroupNorm& norm, const GroupNormTensors& tensors);

/// Backward, from the statistics that the forward pass gave out. `dx` may lie where `dy` does.
struct GroupNormGradients {
  TensorView dy, x, scale, mean, inverse, dx, dscale, doffset;
};
std::unique_ptr<Instruction> make_group_norm_backward(const GroupNorm& norm,
                                                      const GroupNormGradients& tensors);

}  // namespace belfry::internal
