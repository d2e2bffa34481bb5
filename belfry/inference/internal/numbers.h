#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "belfry/graph/function.h"

namespace belfry::internal {

/// What numbers a graph takes to give the same compiled as not.
///
/// oneDNN's maximum returns the number where one of two is NaN, so that its relu makes 0 of NaN, and its
/// approximations of other functions know no infinities, and no numbers whose square is one. A NaN in a net's
/// input or weights would come out as a prediction like any other.
enum class Numbers {
  kAny,
  kNoNaN,     ///< but -infinity, as masks have it
  kOrdinary,  ///< between -2^64 and 2^64
};

/// Whether all numbers of a dense tensor are such. Takes the time of reading it once.
bool all_are(Numbers numbers, const at::Tensor& tensor);

struct NeededNumbers {
  Numbers feeds = Numbers::kAny;
  std::vector<size_t> weights;  ///< those that are to be ordinary, which fused operators read
};
NeededNumbers needed_numbers(const Function& graph);

}  // namespace belfry::internal
