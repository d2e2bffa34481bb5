#include "belfry/data/imgaug/internal/draw.h"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "belfry/base/error.h"

namespace belfry::imgaug::internal {

float draw(Range range, Rng& rng) {
  return static_cast<float>(range.low + (range.high - range.low) * rng.uniform());
}

int64_t draw_integer(int64_t low, int64_t high, Rng& rng) {
  return low + static_cast<int64_t>(rng.below(static_cast<uint64_t>(high - low)));
}

bool draw_bool(double probability, Rng& rng) {
  return rng.uniform() < probability;
}

double draw_normal(Rng& rng) {
  // Box and Muller's: two uniform numbers for each normal one keep the generator's use fixed.
  const double radius = std::sqrt(-2 * std::log(1 - rng.uniform()));
  return radius * std::cos(2 * std::numbers::pi * rng.uniform());
}

void check_range(const char* who, const char* name, Range range) {
  if (range.low <= range.high && std::isfinite(range.low) && std::isfinite(range.high)) return;
  throw UsageError(fmt::format("[{}] expected {} from low to high and finite, got {{{}, {}}}", who, name,
                               range.low, range.high));
}

void check_probability(const char* who, double probability) {
  if (probability >= 0 && probability <= 1) return;
  throw UsageError(fmt::format("[{}] expected a probability in [0, 1], got {}", who, probability));
}

}  // namespace belfry::imgaug::internal
