#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "belfry/graph/function.h"
#include "belfry/program/numbers.h"

namespace belfry::internal {

/// Whether all numbers of a dense tensor are such. Takes the time of reading it once.
bool all_are(Numbers numbers, const at::Tensor& tensor);

/// What numbers a graph takes to give the same compiled as not.
struct NeededNumbers {
  Numbers feeds = Numbers::kAny;
  std::vector<size_t> weights;  ///< those that are to be ordinary, which fused operators read
};
NeededNumbers needed_numbers(const Function& graph);

}  // namespace belfry::internal
