#pragma once

#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

/// True when a gradient of `tensor` may flow on to what its node is computed from: the tensor is
/// floating-point or complex, and its node is not aten::detach (stop_gradient).
bool passes_gradient(const Tensor& tensor);

struct GradientsOptions {
  /// Gradient of what is sought by `loss`; none: one. Must have the loss's shape.
  Tensor grad_loss = {};
  std::string name = "gradients";
};

/// d loss / d x for each x, as one node of the default graph; run through ATen's autograd. `loss` is a scalar
/// unless grad_loss is given. An x may be any floating-point tensor of the graph, variables first of all; an
/// x that `loss` does not depend on, or only through tensors that pass no gradient, gets none. Gradients are
/// tensors like others: they can be clipped, added, and differentiated again.
std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& xs,
                              const GradientsOptions& options = {});

}  // namespace belfry
