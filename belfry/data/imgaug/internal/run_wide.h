#pragma once

namespace belfry::imgaug::internal {

#if defined(__x86_64__)
inline bool has_avx2() {
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
}

// Everything that `loop` calls is inlined, so that all of it is compiled for AVX2.
template <typename Loop>
[[gnu::target("avx2"), gnu::flatten]] void run_avx2(Loop loop) {
  loop();
}
#endif

/// Runs `loop`, a lambda with a vectorizable loop that captures by value, with the widest instructions that
/// this processor has. Results do not depend on them: no products and sums are fused.
template <typename Loop>
void run_wide(Loop loop) {
#if defined(__x86_64__)
  if (has_avx2()) return run_avx2(loop);
#endif
  loop();
}

}  // namespace belfry::imgaug::internal
