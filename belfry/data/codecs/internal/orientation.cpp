#include "belfry/data/codecs/internal/orientation.h"

#include <cstring>
#include <string_view>

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

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// In XMP the number is an attribute or an element: tiff:Orientation="6" or <tiff:Orientation>6<.
std::optional<int64_t> xmp_orientation(std::string_view xml) {
  constexpr std::string_view kProperty = "tiff:Orientation";
  for (size_t at = 0; (at = xml.find(kProperty, at)) != std::string_view::npos;) {
    at += kProperty.size();
    std::string_view rest = xml.substr(at);
    const bool is_attribute = rest.starts_with("=\"") || rest.starts_with("='");
    if (!is_attribute && !rest.starts_with(">")) continue;
    rest.remove_prefix(is_attribute ? 2 : 1);
    const bool is_digit = rest.size() > 1 && rest[0] >= '1' && rest[0] <= '8';
    if (is_digit && (rest[1] == '"' || rest[1] == '\'' || rest[1] == '<')) return rest[0] - '0';
  }
  return std::nullopt;
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

std::optional<int64_t> xmp_segment_orientation(std::span<const uint8_t> segment) {
  constexpr std::string_view kMark("http://ns.adobe.com/xap/1.0/\0", 29);
  const std::string_view text = text_of(segment);
  return text.starts_with(kMark) ? xmp_orientation(text.substr(kMark.size())) : std::nullopt;
}

// Chunks are {length, type, content, checksum}, big-endian. libpng would know of a chunk behind the pixels
// only after reading them, which is too late for who asks for the size. XMP is the text of an iTXt chunk,
// behind its keyword, two bytes that say that it is not compressed, and two empty texts.
std::optional<int64_t> png_orientation(std::span<const uint8_t> file) {
  constexpr uint64_t kSignature = 8, kHead = 8, kSum = 4;
  constexpr std::string_view kXmp("XML:com.adobe.xmp\0\0\0\0\0", 22);
  std::optional<int64_t> by_xmp;
  for (uint64_t at = kSignature; at + kHead + kSum <= file.size();) {
    const uint64_t length = number(file, at, 4, /*is_little=*/false);
    if (length > file.size() - at - kHead - kSum) break;
    const std::span<const uint8_t> content = file.subspan(at + kHead, length);
    const std::string_view type = text_of(file.subspan(at + 4, 4));
    if (type == "eXIf") {
      if (const auto found = tiff_orientation(content)) return found;
    } else if (type == "iTXt" && text_of(content).starts_with(kXmp)) {
      by_xmp = xmp_orientation(text_of(content).substr(kXmp.size()));
    }
    at += kHead + length + kSum;
  }
  return by_xmp;
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
