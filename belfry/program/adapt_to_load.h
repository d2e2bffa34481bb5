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

/// How many of `wanted` threads are worth using: each is to have a processor for itself, as all wait for the
/// slowest at every barrier. Looks twice a second at what other programs use of the processors that this one
/// may use; `wanted` where the system does not say.
int threads_worth_using(int wanted);

/// The rule of that: the threads are halved while others leave too few processors, and doubled when they have
/// left enough for some time.
class ThreadLimit {
 public:
  /// To be called twice a second; `others`: the processors that other programs have used since then, of
  /// `processors`.
  void look(int wanted, double processors, double others);
  int threads(int wanted) const;

 private:
  static constexpr int kNoLimit = 1 << 20;
  int limit_ = kNoLimit;
  double others_ = 0;  ///< over some looks
  int calm_looks_ = 0;
};

}  // namespace belfry::internal
