#pragma once

namespace belfry::internal {

/// To be called before parallel work; costs a look at the clock. OpenMP's threads spin at barriers for a
/// millisecond before they sleep, which is best where each has a processor for itself. Where other programs,
/// or other threads of this one, want the processors too, they so keep them from the very threads that they
/// wait for. This notices such times and lets threads sleep after some microseconds instead. It does nothing
/// where OMP_WAIT_POLICY or GOMP_SPINCOUNT say what is wanted, or where OpenMP is not GNU's.
void adapt_to_load();
/// Whether threads sleep soon, as it was busy when that was last looked at.
bool is_adapted_to_load();

}  // namespace belfry::internal
