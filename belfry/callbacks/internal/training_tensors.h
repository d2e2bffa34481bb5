#pragma once

#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

class Trainer;

namespace internal {

/// The tensors of those names in the main training tower, or else in the graph. Throws UsageError when there
/// is none.
std::vector<Tensor> training_tensors(Trainer& trainer, const std::vector<std::string>& names);

/// What the tower function returned for each training tower, where it returned something.
std::vector<Tensor> training_outputs(Trainer& trainer);

}  // namespace internal
}  // namespace belfry
