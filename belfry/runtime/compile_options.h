#pragma once

#include <cstdint>

#include "belfry/graph/types.h"

namespace belfry {

/// How a graph is compiled for inference. Every pass can be turned off, to find out what it does or whether
/// it is to blame; results differ by rounding only.
struct CompileOptions {
  bool canonicalize = true;  ///< fused operators on NHWC images; the passes below need it
  bool cancel_transposes = true;
  bool fold_padding = true;      ///< zeros around an image into the convolution
  bool fold_batch_norm = true;   ///< into the weights before it
  bool fuse_residuals = true;    ///< the sum into the convolution before it
  bool fuse_activations = true;  ///< into the operator before it
  bool fold_constants = true;    ///< what depends on variables alone is computed when they change
  bool primitives = true;        ///< oneDNN's primitives and our own kernels instead of ATen's operators
  bool plan_memory = true;       ///< values share memory when they are not needed at the same time
  bool split_batch = true;       ///< samples, where independent, in parts that fit the cache, one thread each
  /// A call whose feeds or weights hold NaN, infinities or numbers beyond 2^64 runs uncompiled where fused
  /// operators would lose them, as oneDNN's relu does, and says so once. A call in which NaN comes of finite
  /// numbers before such an operator is found out by the processor's note of it, and runs once more,
  /// uncompiled. For graphs that are fed masks of infinities, and are trusted with them, turn it off.
  bool check_numbers = true;
  int64_t cache_bytes = 8 << 20;  ///< what a part's values may take of the cache
  /// kBFloat16: convolutions, linear operators and what lies between them are computed in bfloat16, about
  /// three digits. Inputs and outputs keep their dtypes.
  DType compute = kFloat32;
  /// Where other programs use the processors too, on fewer threads, which is faster then. It is off as
  /// results may then differ by rounding from call to call, as they do with another number of threads.
  bool adapt_threads = false;
  /// A program is made for each combination of input shapes and number of threads when it is first seen, and
  /// the most recently used are kept.
  int64_t max_shapes = 16;
};

}  // namespace belfry
