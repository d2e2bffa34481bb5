#pragma once

#include <cstdint>
#include <optional>

namespace belfry {

/// One number for all that is random in this process, as tensorpack's fix_rng_seed. Call it first of all: it
/// acts on every Rng that is made later, which passes of dataflows and calls of map functions make, and on
/// the random operators of graphs that have no seed of their own.
///
/// Dataflows need it for one thing only, to run an experiment again with other numbers: their seeds are 0 by
/// default, not the time, so without it each run draws what the last one drew. Graphs without a seed do not,
/// and with this they do. nullopt undoes it. Safe to call from any thread.
void fix_rng_seed(std::optional<uint64_t> seed);

/// What fix_rng_seed was given last.
std::optional<uint64_t> fixed_rng_seed();

}  // namespace belfry
