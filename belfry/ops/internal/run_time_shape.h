#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// What operators with a RunTimeShape have in common. Each throws c10::Error for a `shape` that is not a list
// of integers, or `known` sizes of another rank.

namespace belfry::internal {

/// The sizes that the tensor `shape` holds.
std::vector<int64_t> run_time_sizes(const at::Tensor& shape, at::IntArrayRef known);

/// Sizes for shape inference: the known ones, and unknown_size() for the others.
std::vector<int64_t> sizes_to_infer(const at::Tensor& shape, at::IntArrayRef known);

/// Throws c10::Error when `result` has other sizes than the known ones; else gives it back.
at::Tensor check_known_sizes(const at::Tensor& result, at::IntArrayRef known);

}  // namespace belfry::internal
