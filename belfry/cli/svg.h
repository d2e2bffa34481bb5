#pragma once

#include <string>

#include "belfry/graph/function.h"

namespace belfry::cli {

/// A function as an SVG document that needs nothing but itself: a box with name, operator and shape for each
/// operator, ends with the names of inputs and outputs, arrows for tensors. Weights are not drawn.
std::string to_svg(const Function& function);

}  // namespace belfry::cli
