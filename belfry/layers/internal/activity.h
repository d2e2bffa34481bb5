#pragma once

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"
#include "belfry/layers/activation.h"

namespace belfry::internal {

/// `activation(y)`. The loss that `regularizer`, which may be null, makes of it is divided by the size of the
/// batch and added to kRegularizationLosses, except in a tower that does not train.
Tensor activate(const Tensor& y, const Activation& activation, const Regularizer& regularizer);

}  // namespace belfry::internal
