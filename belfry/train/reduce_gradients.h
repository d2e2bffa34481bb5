#pragma once

#include <cstdint>
#include <memory>

#include "belfry/optim/optimizer.h"

namespace belfry {

/// What gradients travel as between processes, to halve what is sent.
enum class Compression { kNone, kFloat16, kBFloat16 };

/// How the gradients of all processes become one, as in tensorpack's HorovodTrainer.
struct ReductionOptions {
  bool average = true;  ///< false: their sum
  Compression compression = Compression::kNone;
  /// Gradients of less than a quarter of it travel together, up to so many bytes at a time. 0: each alone.
  int64_t bucket_bytes = 1 << 20;
};

/// An optimizer that applies the gradients of all processes of process_group(); the rest, slots and name too,
/// is `optimizer`. The reduction of a gradient begins as soon as it is there, and goes on while others are
/// computed; gradient processors of `optimizer` get what is reduced, and AccumGradOptimizer reduces its sums,
/// once for each update. compute_gradients gives what this process adds: for an average, that is its gradient
/// divided by the number of processes. With one process it is `optimizer` itself.
///
///     auto optimizer = distributed_optimizer(std::make_unique<Adam>(options));
///     train_generator = optimizer->minimize(g_cost, variables_under("gen/"));
///
/// Throws UsageError for null, and in apply_gradients where `optimizer` does not heed ApplyOptions::combine.
std::unique_ptr<Optimizer> distributed_optimizer(std::unique_ptr<Optimizer> optimizer,
                                                 const ReductionOptions& options = {});

}  // namespace belfry
