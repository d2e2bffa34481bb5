#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "belfry/program/instruction.h"
#include "belfry/program/tensor_view.h"

namespace belfry::internal {

/// Batch normalisation in training, of dense rows of channels (Ioffe and Szegedy, 2015): y = (x - mean) /
/// sqrt(variance + epsilon) * scale + offset by channel, with the batch's own mean and variance.
struct BatchNorm {
  int64_t rows, channels;
  float epsilon;
  bool unbiased_variance;  ///< what is given out; what normalises is biased
  bool relu;               ///< the largest of y and 0 comes out instead of y; NaN stays NaN
  float limit = std::numeric_limits<float>::infinity();  ///< of a relu: the smallest of that and this
};

/// Forward: `scale` and `offset` may be none, which are 1 and 0. Dense tensors:
/// x and y float32 or bfloat16, both the same, the others float32.
struct BatchNormTensors {
  TensorView x, scale, offset, y, mean, variance;
};
std::unique_ptr<Instruction> make_batch_norm(const BatchNorm& norm, const BatchNormTensors& tensors);

/// Backward, from the statistics that the forward pass gave out. `dx` may lie where `dy` does.
/// dy, x and dx are of one dtype. `offset` is
/// looked at only where there is a relu.
struct BatchNormGradients {
  TensorView dy, x, scale, offset, mean, variance, dx, dscale, doffset;
};
std::unique_ptr<Instruction> make_batch_norm_backward(const BatchNorm& norm,
                                                      const BatchNormGradients& tensors);

}  // namespace belfry::internal
