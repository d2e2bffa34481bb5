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

/// The gradients of `loss` by `variables` (empty: all trainable ones of its graph), summed or averaged over
/// all processes of process_group(). A variable that the loss does not depend on has none, in every process.
/// The reduction of a gradient begins as soon as it is there, and goes on while others are computed.
///
/// Throws what the optimizer does.
GradientsAndVariables compute_reduced_gradients(Optimizer& optimizer, const Tensor& loss,
                                                const std::vector<Variable>& variables = {},
                                                const ReductionOptions& options = {});

/// An optimizer that computes the gradients of all processes; the rest, slots and name too, is `optimizer`.
/// For trainers of several losses:
///
///     auto optimizer = distributed_optimizer(std::make_unique<Adam>(options));
///     train_generator = optimizer->minimize(g_cost, variables_under("gen/"));
std::unique_ptr<Optimizer> distributed_optimizer(std::unique_ptr<Optimizer> optimizer,
                                                 const ReductionOptions& options = {});

}  // namespace belfry
