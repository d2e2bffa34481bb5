#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <span>

namespace belfry::imgaug::internal {

// How a picture is turned: EXIF's numbers, of which 1 is upright and 2 to 8 are its seven mirrored and turned
// forms.

/// The orientation that a JPEG's APP1 segment says, which begins with "Exif" and two zeros. None when it is
/// another segment, says nothing of it or is damaged.
std::optional<int64_t> exif_orientation(std::span<const uint8_t> segment);
/// The same of the small TIFF file that is EXIF's content.
std::optional<int64_t> tiff_orientation(std::span<const uint8_t> tiff);
/// The one that a JPEG's APP1 segment of XMP says (Adobe's XMP specification, part 3). None when it is
/// another segment, or says nothing.
std::optional<int64_t> xmp_segment_orientation(std::span<const uint8_t> segment);
/// The orientation that a PNG file's eXIf chunk says, or else its XMP; they may come before or behind the
/// pixels.
std::optional<int64_t> png_orientation(std::span<const uint8_t> file);

/// Whether the upright picture is as wide as the stored one is high.
inline bool swaps_sides(int64_t orientation) {
  return orientation >= 5;
}

/// The upright form of a stored picture [H, W, C]: a view or a copy.
at::Tensor turn(const at::Tensor& stored, int64_t orientation);

}  // namespace belfry::imgaug::internal
