#pragma once

#include "belfry/graph/tensor.h"

namespace belfry::benchmarks {

/// The two nets of tensorpack's example DCGAN, for images of 64 x 64.
Tensor dcgan_generator(const Tensor& noise);      ///< [N, 100] to [N, 64, 64, 3]
Tensor dcgan_discriminator(const Tensor& image);  ///< to logits [N, 1]

}  // namespace belfry::benchmarks
