#pragma once

#include <cstdint>

#include "belfry/base/rng.h"
#include "belfry/data/images/image_spec.h"

namespace belfry::imgaug::internal {

/// A number in [low, high), as the float32 that the pixels are computed with.
float draw(Range range, Rng& rng);
/// An integer in [low, high). Requires: low < high.
int64_t draw_integer(int64_t low, int64_t high, Rng& rng);
/// True with probability `probability`.
bool draw_bool(double probability, Rng& rng);
/// A number of the normal distribution with mean 0 and variance 1.
double draw_normal(Rng& rng);

/// Throw UsageError, in the name of `who`, when low > high, or when it is not a probability.
void check_range(const char* who, const char* name, Range range);
void check_probability(const char* who, double probability);

}  // namespace belfry::imgaug::internal
