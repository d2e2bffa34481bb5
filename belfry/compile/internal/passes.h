#pragma once

#include "belfry/compile/internal/inference_graph.h"

// The passes of the inference compiler, in the order in which they run; compile.cpp has the list. Each takes
// a graph and returns one that computes the same.

namespace belfry {

/// Writes convolutions, matrix products by weights, biases and normalisations as the fused operators on NHWC
/// images that the other passes look for. Images in NCHW are transposed on the way in and out.
InferenceGraph canonicalize(const InferenceGraph& graph);
/// Moves transposes behind element-wise operators, and drops those that cancel each other; likewise reshapes.
InferenceGraph cancel_transposes(const InferenceGraph& graph);
/// Takes zeros that are added around an image into the convolution behind. Requires: canonicalize.
InferenceGraph fold_padding(const InferenceGraph& graph);
/// Takes a scale and shift for each channel, which a batch normalisation is at inference, into the weights
/// and the bias of the convolution or linear operator before it. Requires: canonicalize.
InferenceGraph fold_batch_norm(const InferenceGraph& graph);
/// Adds the other branch of a residual connection inside of the convolution or linear operator. Requires:
/// fold_batch_norm, which may stand in between.
InferenceGraph fuse_residuals(const InferenceGraph& graph);
/// Applies an activation inside of the operator before it. Requires: fuse_residuals, as the sum comes first.
InferenceGraph fuse_activations(const InferenceGraph& graph);
/// Computes convolutions, linear operators and what lies between them in bfloat16. Results keep their dtypes.
InferenceGraph cast_to_bfloat16(const InferenceGraph& graph);

/// The part of a graph that depends on weights and constants alone, and the rest, which has its outcomes as
/// weights.
struct PreparedGraph {
  InferenceGraph preparation;  ///< feeds: the weights; fetches: the rest's weights
  InferenceGraph rest;
};
/// Last of all, so that each call computes only what depends on its feeds.
PreparedGraph fold_constants(const InferenceGraph& graph);

}  // namespace belfry
