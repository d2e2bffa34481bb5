#pragma once

#include <ATen/core/LegacyTypeDispatch.h>

namespace belfry {

/// A guard: while it lives, this thread's operators run below the autograd keys of the dispatcher. Nothing is
/// recorded for derivatives, tensors that require a gradient included, and calls take the shortest way.
using BelowAutograd = at::AutoDispatchBelowADInplaceOrView;

}  // namespace belfry
