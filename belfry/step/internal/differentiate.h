#pragma once

#include <vector>

#include "belfry/graph/node.h"
#include "belfry/graph/tensor.h"

namespace belfry::internal {

/// d loss / d x for each x, as nodes of the default graph that a program can run: operators' derivative rules
/// (docs/operators.md) add what autograd would compute. An operator without a rule is differentiated by a
/// gradients node of its own, on a copy of the operator, which runs it a second time under autograd.
///
/// `loss` is a scalar unless `grad_loss`, of its shape, is given. An x that no gradient flows to gets zeros.
/// Shapes between the xs and the loss must be static. Throws UsageError for an operator that draws random
/// numbers or writes and has no rule.
std::vector<Tensor> differentiate(const Tensor& loss, const std::vector<Tensor>& xs,
                                  const Tensor& grad_loss = {});

/// `node` in the form that its rule wants: with outputs that the derivative needs, such as the places of the
/// largest values. Adds it to the default graph with the given inputs, and returns the outputs that replace
/// the node's; empty where it is wanted as it is.
std::vector<Tensor> build_for_derivative(const Node& node, const std::vector<Tensor>& inputs);

}  // namespace belfry::internal
