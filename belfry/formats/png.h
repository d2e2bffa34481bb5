#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace belfry {

/// A PNG file of `pixels`, [height, width, channels], one byte each; 1 channel is gray, 3 RGB, 4 RGBA. Throws
/// UsageError when the numbers do not fit each other.
std::string encode_png(std::span<const uint8_t> pixels, int height, int width, int channels);

}  // namespace belfry
