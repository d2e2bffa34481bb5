#pragma once

#include "belfry/graph/rewriter.h"

// The passes of the inference compiler, in the order in which they run; pipeline.cpp has the list. Each takes
// a graph and returns one that computes the same.

namespace belfry::internal {

/// Writes convolutions, matrix products by weights, biases and normalisations as the fused operators on NHWC
/// images that the other passes look for. Images in NCHW are transposed on the way in and out.
Function canonicalize(const Function& graph);
/// Moves transposes behind element-wise operators, and drops those that cancel each other; likewise reshapes.
Function cancel_transposes(const Function& graph);
/// Takes zeros that are added around an image into the convolution behind. Requires: canonicalize.
Function fold_padding(const Function& graph);
/// Takes a scale and shift for each channel, which a batch normalisation is at inference, into the weights
/// and the bias of the convolution or linear operator before it. Requires: canonicalize.
Function fold_batch_norm(const Function& graph);
/// Adds the other branch of a residual connection inside of the convolution or linear operator. Requires:
/// fold_batch_norm, which may stand in between.
Function fuse_residuals(const Function& graph);
/// Applies an activation inside of the operator before it. Requires: fuse_residuals, as the sum comes first.
Function fuse_activations(const Function& graph);
/// Computes convolutions, linear operators and what lies between them in bfloat16. Results keep their dtypes.
Function cast_to_bfloat16(const Function& graph);

}  // namespace belfry::internal
