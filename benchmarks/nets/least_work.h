#pragma once

#include <cstdint>
#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry::benchmarks {

/// Operations on numbers that the convolutions and products of a step must at least do: `cost` forward, and
/// backward one product for each factor that depends on one of `variables`. Requires: static shapes.
int64_t least_work(const Tensor& cost, const std::vector<Variable>& variables);

}  // namespace belfry::benchmarks
