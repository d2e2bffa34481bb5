#pragma once

#include <bit>
#include <cstdint>

#include "belfry/program/lanes.h"

namespace belfry::internal {

/// e to the x within 2 units in the last place, without branches, so that a plain loop of it becomes vector
/// code. 0 below -87.3, where float32 has no ordinary number; infinity from 88.7 on; NaN stays NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2, so that e^x = 2^n e^r (Muller, Elementary Functions, chapter 3), and
/// a polynomial of degree 6 gives e^r.
BELFRY_INLINE float exponential(float x) {
  constexpr float kLowest = -87.33654f, kHighest = 88.72284f;
  constexpr float kRound = 12582912;  // 1.5 * 2^23: what is added to it loses its fraction
  const float low = x < kLowest ? kLowest : x, v = low > kHighest ? kHighest : low;
  const float shifted = v * 1.44269504f + kRound, n = shifted - kRound;
  const float r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1;
  // In two factors, as 2^128 is none.
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(kRound);
  const int32_t half = exponent >> 1;
  const float first = std::bit_cast<float>((half + 127) << 23);
  const float second = std::bit_cast<float>((exponent - half + 127) << 23);
  const float result = p * first * second;
  const float above = x > kHighest ? __builtin_inff() : result;
  return x < kLowest ? 0 : above;
}

}  // namespace belfry::internal
