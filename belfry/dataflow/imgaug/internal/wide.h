#pragma once

/// A function of plain loops that is compiled twice, and runs with the registers that the processor has:
/// conversions of bytes to floats take half the time with AVX2. Functions that it calls must be
/// BELFRY_WIDE_INLINE to profit. (The sanitizers start too late for the choice at load time.)
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_THREAD__) && \
    !defined(__SANITIZE_ADDRESS__)
#define BELFRY_WIDE __attribute__((target_clones("avx2", "default")))
#define BELFRY_WIDE_INLINE inline __attribute__((always_inline))
#else
#define BELFRY_WIDE
#define BELFRY_WIDE_INLINE inline
#endif
