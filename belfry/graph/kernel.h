#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

namespace belfry {

/// The operator that computes what nodes of `op` promise: mostly `op` itself. Where ATen's kernel promises
/// something else than TensorFlow (the order among equals, sums of many
/// values, rounding, the gradient at a limit), nodes keep
/// ATen's name, which files and exports know, and this is the operator of Belfry with the same arguments.
c10::OperatorHandle kernel_of(const c10::OperatorHandle& op);

/// As above, for who wants no gradients: `op` itself where only the gradient, or the result for an empty
/// tensor, is another.
c10::OperatorHandle forward_kernel_of(const c10::OperatorHandle& op);

}  // namespace belfry
