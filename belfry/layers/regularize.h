#pragma once

#include <string>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// scale * sum(x^2) / 2
Regularizer l2_regularizer(double scale);
/// scale * sum(|x|)
Regularizer l1_regularizer(double scale);

/// The sum (float32 scalar) of `regularizer` over the trainable variables in whose names `regex` (ECMAScript)
/// is found: `cost + regularize_cost("fc.*/W", l2_regularizer(1e-5))`. Logs which ones. In a tower with
/// variables of its own only those count. Zero in a tower that does not train, or when no name matches.
/// Throws UsageError outside a tower, and for an empty or malformed `regex`.
Tensor regularize_cost(const std::string& regex, const Regularizer& regularizer,
                       const std::string& name = "regularize_cost");

/// As above, the sum of kRegularizationLosses: of the regularizers given to layers and variables.
Tensor regularize_cost_from_collection(const std::string& name = "regularize_cost");

}  // namespace belfry
