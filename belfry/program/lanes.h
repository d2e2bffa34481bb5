#pragma once

#include <cstdint>
#include <cstring>

#include "belfry/program/bfloat16.h"

// Vectors of floats for our own kernels. Such a kernel is one inlined function, compiled for
// several instruction sets of which the best is taken at run time; passing vectors by value between functions
// would tie it to one of them.

#define BELFRY_INLINE __attribute__((always_inline)) inline
/// Before a loop of which no turn needs what another one wrote.
#ifdef __clang__
#define BELFRY_INDEPENDENT
#else
#define BELFRY_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace belfry::internal {

constexpr int64_t kLanes = 16;
using Lanes = float __attribute__((vector_size(4 * kLanes)));

BELFRY_INLINE void load(const float* from, Lanes& to) {
  std::memcpy(&to, from, sizeof(to));
}
BELFRY_INLINE void store(const Lanes& from, float* to) {
  std::memcpy(to, &from, sizeof(from));
}

using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));

BELFRY_INLINE void load(const BFloat16* from, Lanes& to) {
  Halves halves;
  std::memcpy(&halves, from, sizeof(halves));
  const Words words = __builtin_convertvector(halves, Words) << 16;
  std::memcpy(&to, &words, sizeof(to));
}
/// Rounds to the nearest, to the even one of two; NaN stays NaN.
BELFRY_INLINE void store(const Lanes& from, BFloat16* to) {
  Words words;
  std::memcpy(&words, &from, sizeof(words));
  const Words rounded = (words + 0x7fff + ((words >> 16) & 1)) >> 16, nan = Words{} + 0x7fc0;
  const Halves halves = __builtin_convertvector(from == from ? rounded : nan, Halves);
  std::memcpy(to, &halves, sizeof(halves));
}

#if defined(__x86_64__)
template <typename Kernel>
[[gnu::target("avx512f,avx512bw,fma"), gnu::flatten]] void run_avx512(const Kernel& kernel) {
  kernel();
}
template <typename Kernel>
[[gnu::target("avx2,fma"), gnu::flatten]] void run_avx2(const Kernel& kernel) {
  kernel();
}
#endif

/// Runs `kernel`, a lambda, compiled for the widest instructions that this processor has.
template <typename Kernel>
void run_widest(const Kernel& kernel) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw")) return run_avx512(kernel);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return run_avx2(kernel);
#endif
  kernel();
}

}  // namespace belfry::internal
