#pragma once

#include "belfry/graph/function.h"

// The passes that only steps have, besides those of the inference compiler; step_pipeline.cpp has the list.

namespace belfry::internal {

/// Computes the gradient of a matrix that is used many times, as by a recurrent cell, by one product of all
/// rows instead of a sum of products.
Function join_weight_gradients(const Function& graph);
/// Puts the derivative of a relu in front of that of the max pooling behind it, where there are fewer values:
/// the largest value of a window passes a gradient where it is above 0, and so does the relu below it.
Function sink_relu_gradients(const Function& graph);
/// Computes a relu inside of the batch normalisation before it, forward and backward.
Function fuse_batch_norm_relu(const Function& graph);

/// Computes convolutions, products and what lies between them in bfloat16, forward and backward. Gradients of
/// weights, statistics of batches and all results keep their dtypes. Requires: canonicalize.
Function cast_step_to_bfloat16(const Function& graph);

}  // namespace belfry::internal
