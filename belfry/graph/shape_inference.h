#pragma once

#include <cstdint>
#include <vector>

#include "belfry/graph/node.h"

namespace belfry {

/// Dtypes and shapes of what `op` returns for these arguments; for an operator that returns a list, of its
/// members.
///
/// The operator is evaluated on tensors without data, twice, with two different sizes for every dynamic
/// dimension; the output dimensions that differ are dynamic. A dynamic dimension that must equal a static
/// size for the operator to run at all (x[?] + y[12]) is taken to have it. Operators that have no kernel for
/// such tensors have a rule (internal/shape_rules.h), or run on small zeros. Errors of the operator come out
/// as UsageError with the shapes given.
std::vector<Node::Output> infer_outputs(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                                        const std::vector<Tensor>& inputs);

/// What a kernel for tensors without data gives as the size of a dimension that only values decide: another
/// number at each call, so that the two evaluations differ.
int64_t unknown_size();

}  // namespace belfry
