#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/ops/run_time_shape.h"

namespace belfry::internal {

/// Stands for an integer that only a run knows, in lists of those that a graph knows. No size and no place in
/// a tensor is that number.
constexpr int64_t kUnknownInteger = std::numeric_limits<int64_t>::min();

/// What the graph knows of the elements of an integer tensor, row by row, kUnknownInteger for the rest: those
/// of constants, of shapes, and of what is stacked, joined, cut and reshaped of such. None where it does not
/// know their number, or where they are more than 1024.
std::optional<std::vector<int64_t>> known_integers(const Tensor& tensor);

/// The same where the graph knows each of them; else none.
std::optional<std::vector<int64_t>> constant_integers(const Tensor& tensor);

/// The sizes of a shape that the graph knows, where they are as it says.
std::optional<Shape> constant_shape(const RunTimeShape& shape);

}  // namespace belfry::internal
