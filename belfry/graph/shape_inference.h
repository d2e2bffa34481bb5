#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>

#include "belfry/graph/node.h"

namespace belfry {

/// Dtypes and shapes of what `op` returns for these arguments; for an operator that returns a list, of its
/// members.
///
/// The operator is evaluated on tensors without data, several times, with different sizes for the dynamic
/// dimensions (internal/shape_trials.h says which); the output dimensions that differ are dynamic. A dynamic
/// dimension that must equal a static size for the operator to run at all (x[?] + y[12]) is taken to have it.
/// Operators that have no kernel for such tensors have a rule (internal/shape_rules.h), or run on small
/// zeros. Dtypes are checked too, where kernels without data do not (internal/dtype_rules.h). Errors of the
/// operator come out as UsageError with the shapes given.
std::vector<Node::Output> infer_outputs(const c10::OperatorHandle& op, const std::vector<Argument>& arguments,
                                        const std::vector<Tensor>& inputs);

/// True when the operator's kernel for tensors without data, or its rule, takes the shapes, dtypes and other
/// arguments of a stack that its real kernel refused: what it refused is then the values. False too where it
/// has neither.
bool takes_shapes(const c10::OperatorHandle& op, c10::Stack arguments);

/// What a kernel for tensors without data gives as the size of a dimension that only values decide: another
/// number in each trial, so that they differ.
int64_t unknown_size();

}  // namespace belfry
