#include "belfry/formats/png.h"

#include <fmt/format.h>
#include <png.h>

#include "belfry/base/error.h"

namespace belfry {

std::string encode_png(std::span<const uint8_t> pixels, int height, int width, int channels) {
  bool known = channels == 1 || channels == 3 || channels == 4;
  if (!known || height <= 0 || width <= 0 ||
      pixels.size() !=
          static_cast<size_t>(height) * static_cast<size_t>(width) * static_cast<size_t>(channels)) {
    throw UsageError(
        fmt::format("[encode_png] expected [height, width, 1, 3 or 4] bytes, got {} for [{}, {}, {}]",
                    pixels.size(), height, width, channels));
  }
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  std::string out(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = out.size();
  if (!png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr)) {
    throw InternalError(fmt::format("[encode_png] expected a picture, got: {}", image.message));
  }
  out.resize(size);
  return out;
}

}  // namespace belfry
