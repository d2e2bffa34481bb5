#pragma once

#include <cstdint>

#include "belfry/graph/types.h"

namespace belfry {

/// How a training step is compiled. Every pass can be turned off, to find out what it does or whether it is
/// to blame; results differ by rounding only.
struct StepOptions {
  bool compile = true;       ///< false: operator by operator, gradients by ATen's autograd
  bool canonicalize = true;  ///< fused operators on NHWC images; the passes below need it
  bool cancel_transposes = true;
  bool fold_padding = true;           ///< zeros around an image into the convolution
  bool fuse_residuals = true;         ///< the sum into the convolution before it
  bool fuse_activations = true;       ///< into the operator before it
  bool fuse_batch_norm_relu = true;   ///< forward and backward
  bool sink_relu_gradients = true;    ///< in front of the gradient of the max pooling behind
  bool join_weight_gradients = true;  ///< of weights used many times, as by recurrent cells: one product
  bool primitives = true;             ///< oneDNN's primitives and our own kernels instead of ATen's operators
  bool schedule = true;               ///< the order in which values live short, instead of that of the graph
  bool plan_memory = true;            ///< values share memory when they are not needed at the same time
  /// A step in which NaN comes up, or is fed, before an operator that may lose it runs once more, uncompiled,
  /// before anything is written. The processor notes such numbers, so that the look costs nothing. The log
  /// says once where the first of them came from, also where a fetched scalar, such as the cost, is not
  /// finite: which feed, variable or node.
  bool check_numbers = true;
  /// kBFloat16: activations, their gradients, convolutions and products in bfloat16, about three digits;
  /// weights, their gradients, statistics, losses and updates in float32. Needs no scaling of the loss.
  DType compute = kFloat32;
  /// Where other programs use the processors too, on fewer threads: with two of them on two processors a step
  /// then takes 2 times as long as where nothing else runs, and not 3 to 4. It is off as results then differ
  /// by rounding from run to run, as they do with another number of threads.
  bool adapt_threads = false;
  /// A program is made for each combination of input shapes and number of threads when it is first seen, and
  /// the most recently used are kept: two do for an epoch with a smaller last batch.
  int64_t max_shapes = 4;
};

}  // namespace belfry
