#pragma once

#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry::cli {

/// What of a graph is drawn.
struct GraphToDraw {
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> input_names, output_names;
};

/// A graph as an SVG document that needs nothing but itself: a box with name, operator and shape for each
/// operator, ends with the names of inputs and outputs, arrows for tensors. Weights are not drawn.
std::string to_svg(const GraphToDraw& graph);

}  // namespace belfry::cli
