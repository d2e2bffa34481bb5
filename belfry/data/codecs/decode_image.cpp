#include "belfry/data/codecs/decode_image.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/data/codecs/internal/orientation.h"
#include "belfry/formats/file_kind.h"

// A JPEG or PNG, told by its first bytes, as an upright uint8 picture. PNG is read here, JPEG in jpeg.cpp.
// The number of pixels is compared with the limit before there is memory for them.
namespace belfry::imgaug {
namespace {

enum class Format { kJpeg, kPng };

Format format_of(ByteSpan bytes, const DecodeOptions& options) {
  auto starts_with = [&](std::string_view magic) {
    return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
  };
  if (starts_with("\xff\xd8\xff")) return Format::kJpeg;
  if (starts_with("\x89PNG\r\n\x1a\n")) return Format::kPng;
  throw DataError(options.name, fmt::format("expected a JPEG or PNG, got {} bytes of another kind{}",
                                            bytes.size(), looks_like(bytes)));
}

int64_t channels_of(PixelOrder order) {
  return order == PixelOrder::kGray ? 1 : 3;
}

// libpng reports an error by a function that must not return: it jumps back to `guard`, which throws.
class PngReader {
 public:
  PngReader(ByteSpan bytes, const DecodeOptions& options)
      : options_(options),
        rest_(bytes),
        orientation_(internal::png_orientation({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()})
                         .value_or(1)) {
    auto fail = [](png_structp png, png_const_charp message) {
      static_cast<PngReader*>(png_get_error_ptr(png))->message_ = message;
      png_longjmp(png, 1);
    };
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) {
      png_destroy_read_struct(&png_, &info_, nullptr);
      throw Error("[decode_image] libpng cannot start");
    }
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // Of the upright picture.
  ImageSpec read_spec() {
    ImageSpec spec = read_stored_spec();
    if (internal::swaps_sides(orientation_)) std::swap(spec.h, spec.w);
    return spec;
  }

  at::Tensor read() { return internal::turn(read_stored(), orientation_).contiguous(); }

 private:
  ImageSpec read_stored_spec() {
    guard([this] { read_header(); });
    const ImageSpec spec{.h = png_get_image_height(png_, info_),
                         .w = png_get_image_width(png_, info_),
                         .channels = channels_of(options_.order)};
    if (spec.h * spec.w > options_.max_pixels) {
      throw DataError(options_.name, fmt::format("expected at most {} pixels, got {} x {}",
                                                 options_.max_pixels, spec.h, spec.w));
    }
    return spec;
  }

  at::Tensor read_stored() {
    const ImageSpec spec = read_stored_spec();
    const int64_t stride = spec.w * spec.channels;
    at::Tensor image = at::empty({spec.h, spec.w, spec.channels}, at::kByte);
    std::vector<png_bytep> rows;
    for (int64_t y = 0; y < spec.h; ++y) rows.push_back(image.mutable_data_ptr<uint8_t>() + y * stride);
    guard([&] {
      if (png_get_rowbytes(png_, info_) != static_cast<size_t>(stride)) {
        png_error(png_, "its pixels have an unknown form");
      }
      png_read_image(png_, rows.data());
      png_read_end(png_, nullptr);
    });
    return image;
  }

  // Requires: `call` owns nothing, since an error leaves it without destructors.
  template <typename Call>
  void guard(const Call& call) {
    if (setjmp(png_jmpbuf(png_)) == 0) {
      call();
    } else {
      throw DataError(options_.name, message_);
    }
  }

  static void take(png_structp png, png_bytep to, size_t size) {
    auto* self = static_cast<PngReader*>(png_get_io_ptr(png));
    if (size > self->rest_.size()) png_error(png, "it ends too early");
    std::memcpy(to, self->rest_.data(), size);
    self->rest_ = self->rest_.subspan(size);
  }

  // Texts and palettes for other programs unpack to megabytes each, however many there are.
  void skip_what_is_not_needed() {
    static constexpr png_byte kChunks[] = "tEXt\0zTXt\0iTXt\0sPLT\0hIST";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, kChunks, sizeof kChunks / 5);
  }

  void read_header() {
    png_set_read_fn(png_, this, take);
    skip_what_is_not_needed();
    png_read_info(png_, info_);
    png_set_strip_16(png_);
    png_set_strip_alpha(png_);
    png_set_expand(png_);
    if (options_.order == PixelOrder::kGray) {
      constexpr int kNoError = 1;
      if (png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR) {
        png_set_rgb_to_gray(png_, kNoError, 0.299, 0.587);
      }
    } else {
      png_set_gray_to_rgb(png_);
      if (options_.order == PixelOrder::kBgr) png_set_bgr(png_);
    }
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
  }

  const DecodeOptions& options_;
  ByteSpan rest_;
  int64_t orientation_;
  std::string message_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

at::Tensor decode_image(ByteSpan bytes, const DecodeOptions& options) {
  if (format_of(bytes, options) == Format::kPng) return PngReader(bytes, options).read();
  return decode_jpeg(bytes, {.order = options.order,
                             .accept_damage = options.accept_damage,
                             .max_pixels = options.max_pixels,
                             .name = options.name})
      .contiguous();
}

ImageSpec read_image_spec(ByteSpan bytes, const DecodeOptions& options) {
  if (format_of(bytes, options) == Format::kPng) return PngReader(bytes, options).read_spec();
  const JpegInfo info = read_jpeg_info(bytes, options.name);
  return {.h = info.height, .w = info.width, .channels = channels_of(options.order)};
}

}  // namespace belfry::imgaug
