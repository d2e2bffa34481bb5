#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "belfry/graph/types.h"

namespace belfry::benchmarks {

// Numbers that only depend on a name and an index, so that all programs have the same weights and data;
// benchmarks/peers/formula.py gives the same.

/// Float32 in [-limit, limit), evenly.
at::Tensor formula_floats(const std::string& name, const Shape& shape, double limit = 1);
/// Int64 in [0, limit), evenly.
at::Tensor formula_integers(const std::string& name, const Shape& shape, int64_t limit);
/// The first value of a variable: of a variance of 1 / (the product of all sizes but the last) where it has
/// two dimensions or more, else 0, or 1 if it is called "gamma".
at::Tensor formula_weights(const std::string& name, const Shape& shape);

}  // namespace belfry::benchmarks
