#include <gtest/gtest.h>
#include <zlib.h>

#include "belfry/data/codecs/decode_image.h"
#include "tests/support/peak_memory.h"

namespace belfry::imgaug {
namespace {

std::string big_endian(uint32_t value) {
  value = __builtin_bswap32(value);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string chunk(const std::string& name, const std::string& content) {
  const std::string summed = name + content;
  const uLong sum = crc32(0, reinterpret_cast<const Bytef*>(summed.data()), static_cast<uInt>(summed.size()));
  return big_endian(static_cast<uint32_t>(content.size())) + summed + big_endian(static_cast<uint32_t>(sum));
}

std::string packed(const std::string& content) {
  uLongf size = compressBound(content.size());
  std::string out(size, '\0');
  compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(content.data()),
            content.size(), 9);
  out.resize(size);
  return out;
}

/// One grey pixel, and `text` 300 times.
std::string png_with(const std::string& text) {
  std::string bytes = std::string("\x89PNG\r\n\x1a\n") +
                      chunk("IHDR", big_endian(1) + big_endian(1) + std::string("\x08\x00\x00\x00\x00", 5));
  for (int i = 0; i < 300; ++i) bytes += text;
  return bytes + chunk("IDAT", packed(std::string("\x00\x07", 2))) + chunk("IEND", "");
}

TEST(WorstFileTest, TextsOfPngsAreNotUnpacked) {
  const std::string zeros = packed(std::string(7'900'000, '\0'));
  const std::string texts[] = {chunk("zTXt", std::string("a") + std::string(2, '\0') + zeros),
                               chunk("iTXt", std::string("a") + std::string("\0\1\0\0\0", 5) + zeros)};
  for (const std::string& text : texts) {
    const std::string bytes = png_with(text);
    EXPECT_EQ(decode_image(as_byte_span(bytes)).numel(), 3);
    test::expect_memory_in_proportion("PNG", bytes.size(), [&] { decode_image(as_byte_span(bytes)); });
  }
}

}  // namespace
}  // namespace belfry::imgaug
