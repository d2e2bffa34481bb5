#pragma once

#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

struct GradientsOptions {
  /// Gradient of what is sought by `loss`; none: one. Must have the loss's shape.
  Tensor grad_loss;
  std::string name = "gradients";
};

/// d loss / d x for each x, as one node; run through ATen's autograd. `loss` is a scalar unless grad_loss is
/// given. An x may be any tensor of the graph, variables first of all; an x that `loss` does not depend on
/// gets none. Gradients are tensors like others: they can be clipped, added, and differentiated again.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& xs,
                              const GradientsOptions& options = {});

}  // namespace belfry
