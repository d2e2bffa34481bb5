#pragma once

#include <cstdint>

#include "belfry/base/file_system.h"

namespace belfry {

/// CRC-32C (Castagnoli) of `bytes`. Pass the sum of what came before as `previous` to continue it.
uint32_t crc32c(ByteSpan bytes, uint32_t previous = 0);

/// The form in which LevelDB and TensorFlow store a sum, so that the sum of bytes that hold a sum stays
/// meaningful.
constexpr uint32_t mask_crc(uint32_t crc) {
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}
constexpr uint32_t unmask_crc(uint32_t masked) {
  uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

}  // namespace belfry
