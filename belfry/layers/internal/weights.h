#pragma once

#include <cstdint>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry::internal {

/// The order in memory of a convolution's weights, output channel outermost: what its kernels take as it is.
inline const std::vector<int64_t> kConvolutionOrder = {3, 0, 1, 2};

struct Weights {
  Tensor kernel;
  Tensor bias;  ///< may be none
};

/// The variables "W", of `shape`, and "b" [`outputs`] of a layer whose `options` say how by
/// the names that Conv2D's do. `memory_order`: see VariableOptions.
template <typename Options>
Weights get_weights(DType dtype, const Shape& shape, int64_t outputs, const Options& options,
                    const std::vector<int64_t>& memory_order = {}) {
  Weights weights;
  weights.kernel = get_variable("W", shape,
                                {.dtype = dtype,
                                 .initializer = *options.kernel_initializer,
                                 .regularizer = *options.kernel_regularizer,
                                 .memory_order = memory_order});
  if (*options.use_bias) {
    weights.bias = get_variable(
        "b", {outputs},
        {.dtype = dtype, .initializer = *options.bias_initializer, .regularizer = *options.bias_regularizer});
  }
  return weights;
}

}  // namespace belfry::internal
