#include "belfry/data/codecs/internal/orientation.h"

#include <cstring>

namespace belfry::imgaug::internal {
namespace {

// `size` bytes at `at` as a number; 0 beyond the end.
uint64_t number(std::span<const uint8_t> bytes, uint64_t at, int size, bool is_little) {
  if (at + static_cast<uint64_t>(size) > bytes.size()) return 0;
  uint64_t value = 0;
  for (int i = 0; i < size; ++i)
    value = value << 8 | bytes[at + static_cast<uint64_t>(is_little ? size - 1 - i : i)];
  return value;
}

// Bytes of a number of one of TIFF's integer types; 0 for other types.
int size_of_type(uint64_t type) {
  constexpr int kSizes[] = {0, 1, 0, 2, 4};  // BYTE is 1, SHORT 3, LONG 4
  return type < std::size(kSizes) ? kSizes[type] : 0;
}

}  // namespace

std::optional<int64_t> tiff_orientation(std::span<const uint8_t> tiff) {
  if (tiff.size() < 8 || tiff[0] != tiff[1] || (tiff[0] != 'I' && tiff[0] != 'M')) return std::nullopt;
  const bool is_little = tiff[0] == 'I';
  if (number(tiff, 2, 2, is_little) != 42) return std::nullopt;
  constexpr uint64_t kOrientationTag = 0x0112, kEntrySize = 12;
  const uint64_t directory = number(tiff, 4, 4, is_little), count = number(tiff, directory, 2, is_little);
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t entry = directory + 2 + i * kEntrySize;
    if (number(tiff, entry, 2, is_little) != kOrientationTag) continue;
    const uint64_t value =
        number(tiff, entry + 8, size_of_type(number(tiff, entry + 2, 2, is_little)), is_little);
    if (value < 1 || value > 8) return std::nullopt;
    return static_cast<int64_t>(value);
  }
  return std::nullopt;
}

std::optional<int64_t> exif_orientation(std::span<const uint8_t> segment) {
  constexpr size_t kMark = 6;
  if (segment.size() < kMark || std::memcmp(segment.data(), "Exif\0", kMark) != 0) return std::nullopt;
  return tiff_orientation(segment.subspan(kMark));
}

// Chunks are {length, type, content, checksum}, big-endian. libpng would know of a chunk behind the pixels
// only after reading them, which is too late for who asks for the size.
std::optional<int64_t> png_orientation(std::span<const uint8_t> file) {
  constexpr uint64_t kSignature = 8, kHead = 8, kSum = 4;
  for (uint64_t at = kSignature; at + kHead + kSum <= file.size();) {
    const uint64_t length = number(file, at, 4, /*is_little=*/false);
    if (length > file.size() - at - kHead - kSum) return std::nullopt;
    if (std::memcmp(file.data() + at + 4, "eXIf", 4) == 0)
      return tiff_orientation(file.subspan(at + kHead, length));
    at += kHead + length + kSum;
  }
  return std::nullopt;
}

at::Tensor turn(const at::Tensor& stored, int64_t orientation) {
  switch (orientation) {
    case 2:
      return stored.flip({1});
    case 3:
      return stored.flip({0, 1});
    case 4:
      return stored.flip({0});
    case 5:
      return stored.transpose(0, 1);
    case 6:
      return stored.flip({0}).transpose(0, 1);
    case 7:
      return stored.flip({0, 1}).transpose(0, 1);
    case 8:
      return stored.flip({1}).transpose(0, 1);
    default:
      return stored;
  }
}

}  // namespace belfry::imgaug::internal
