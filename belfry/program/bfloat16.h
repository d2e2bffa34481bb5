#pragma once

#include <cstdint>
#include <cstring>

namespace belfry::internal {

/// The upper half of a float.
struct BFloat16 {
  uint16_t bits;

  BFloat16() = default;
  /// Rounds to the nearest, to the even one of two; NaN stays NaN.
  explicit BFloat16(float value) {
    uint32_t word;
    std::memcpy(&word, &value, sizeof(word));
    bits = static_cast<uint16_t>(value == value ? (word + 0x7fff + ((word >> 16) & 1)) >> 16 : 0x7fc0);
  }
  explicit operator float() const {
    const uint32_t word = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, sizeof(value));
    return value;
  }
};

}  // namespace belfry::internal
