#pragma once

#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

/// Builds the gradients by some inputs, one for each, from the gradients by some outputs; none where none
/// flows.
using GradientFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>& gradients)>;

/// The values of `outputs`, which are computed from `inputs` in whatever way, with gradients of their own:
/// those by `inputs` are what `gradient` builds, and none flows to anything else. So a variable that the
/// outputs depend on is one of the inputs, or has no gradient.
///
///     Tensor y = custom_gradient(round(x), x, [](const Tensor& dy) { return dy; });  // straight through
///
/// `gradient` is called once, here. It may use any tensor of the graph, among them the inputs, the outputs,
/// and what was computed on the way; it may draw random numbers, from a generator of this node. Gradients of
/// gradients are those of the nodes that it builds. Throws UsageError for a gradient whose dtype or shape is
/// not its input's, and for nodes that trace (graph/trace.h) refuses. Predictors, exports and graph files see
/// the outputs as they are.
std::vector<Tensor> custom_gradient(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                                    const GradientFunction& gradient, const std::string& name = "");
/// As above, of one output and one input.
Tensor custom_gradient(const Tensor& output, const Tensor& input,
                       const std::function<Tensor(const Tensor& gradient)>& gradient,
                       const std::string& name = "");

}  // namespace belfry
