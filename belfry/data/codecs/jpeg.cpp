#include "belfry/data/codecs/jpeg.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

// jpeglib.h needs <cstdio> before it.
#include <jerror.h>
#include <jpeglib.h>

#include "belfry/base/error.h"
#include "belfry/data/codecs/internal/orientation.h"

// JPEG by libjpeg-turbo: information, decoding of a region at a scale, encoding. The library reports errors
// by longjmp, so each call runs in `guard`, which owns nothing. A picture is bounded in pixels and scans
// before it is decoded, and only the rows and columns of the region are kept.
namespace belfry::imgaug {
namespace {

// A file of a few kilobytes can hold thousands of scans over a large picture, each of them slow.
constexpr int kMaxScans = 200;
// Chroma upsampling looks one chroma sample, two pixels, to each side.
constexpr int64_t kMargin = 2;

bool is_damage(int warning) {
  switch (warning) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_BOGUS_PROGRESSION:
      return true;
    default:
      return false;  // oddities that leave the pixels whole, such as extra bytes before a marker
  }
}

// libjpeg reports an error by a function that must not return: it jumps back to `guard`, which throws.
struct ErrorManager : jpeg_error_mgr {
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX] = "";
  bool accept_damage = false;

  ErrorManager() {
    jpeg_std_error(this);
    error_exit = [](j_common_ptr codec) { static_cast<ErrorManager*>(codec->err)->fail(codec); };
    output_message = [](j_common_ptr) {};
    emit_message = [](j_common_ptr codec, int level) {
      auto* errors = static_cast<ErrorManager*>(codec->err);
      if (level < 0 && is_damage(errors->msg_code) && !errors->accept_damage) errors->fail(codec);
    };
  }

  [[noreturn]] void fail(j_common_ptr codec) {
    format_message(codec, message);
    std::longjmp(back, 1);
  }
};

// Calls libjpeg. Requires: `call` owns nothing, since an error leaves it without destructors.
template <typename Call>
void guard(ErrorManager& errors, const std::string& name, const Call& call) {
  if (setjmp(errors.back) == 0) {
    call();
  } else {
    throw DataError(name, errors.message);
  }
}

class Decompressor {
 public:
  Decompressor(ByteSpan bytes, const std::string& name) : name_(name) {
    if (bytes.empty()) throw DataError(name, "expected a JPEG, got no bytes");
    state_.err = &errors_;
    guard(errors_, name_, [&] {
      jpeg_create_decompress(&state_);
      jpeg_mem_src(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
      jpeg_save_markers(&state_, JPEG_APP0 + 1, 0xFFFF);
      jpeg_read_header(&state_, TRUE);
    });
  }
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  jpeg_decompress_struct& state() { return state_; }
  ErrorManager& errors() { return errors_; }

  int64_t orientation() const;
  /// Decodes `region` of the stored, scaled picture.
  at::Tensor read(const JpegDecodeOptions& options, std::optional<PixelRect> region);

 private:
  void choose_output(const JpegDecodeOptions& options);
  void read_rows(PixelRect part, uint8_t* rows, PixelOrder order);

  std::string name_;
  ErrorManager errors_;
  struct State : jpeg_decompress_struct {
    State() : jpeg_decompress_struct{} {}
    // Does nothing to what is still all zeros.
    ~State() { jpeg_destroy_decompress(this); }
  } state_;
};

int64_t Decompressor::orientation() const {
  std::optional<int64_t> by_xmp;
  for (auto* marker = state_.marker_list; marker; marker = marker->next) {
    if (marker->marker != JPEG_APP0 + 1) continue;
    // EXIF and XMP have segments of the same kind, in any order. Where both say something, EXIF counts.
    const std::span<const uint8_t> segment(marker->data, marker->data_length);
    if (const auto found = internal::exif_orientation(segment)) return *found;
    if (!by_xmp) by_xmp = internal::xmp_segment_orientation(segment);
  }
  return by_xmp.value_or(1);
}

void Decompressor::choose_output(const JpegDecodeOptions& options) {
  const bool is_cmyk = state_.num_components == 4;
  switch (options.order) {
    case PixelOrder::kRgb:
      state_.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
      break;
    case PixelOrder::kBgr:
      state_.out_color_space = is_cmyk ? JCS_CMYK : JCS_EXT_BGR;
      break;
    case PixelOrder::kGray:
      state_.out_color_space = is_cmyk ? JCS_CMYK : JCS_GRAYSCALE;
  }
  state_.scale_num = static_cast<unsigned>(options.scale);
  state_.scale_denom = 8;
}

// In place: `row` holds `width` pixels of four inverted components (as all known CMYK JPEGs do).
void convert_cmyk(uint8_t* row, int64_t width, PixelOrder order) {
  const uint8_t* from = row;
  for (uint8_t* to = row; width > 0; --width, from += 4) {
    const int k = from[3];
    auto mix = [k](int ink) { return k - ((255 - ink) * k >> 8); };
    const int r = mix(from[0]), g = mix(from[1]), b = mix(from[2]);
    if (order == PixelOrder::kGray) {
      *to++ = static_cast<uint8_t>((r * 4899 + g * 9617 + b * 1868 + 8192) >> 14);
      continue;
    }
    *to++ = static_cast<uint8_t>(order == PixelOrder::kRgb ? r : b);
    *to++ = static_cast<uint8_t>(g);
    *to++ = static_cast<uint8_t>(order == PixelOrder::kRgb ? b : r);
  }
}

at::Tensor Decompressor::read(const JpegDecodeOptions& options, std::optional<PixelRect> region) {
  errors_.accept_damage = options.accept_damage;
  jpeg_progress_mgr progress = {};
  progress.progress_monitor = [](j_common_ptr codec) {
    if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= kMaxScans) return;
    auto* errors = static_cast<ErrorManager*>(codec->err);
    std::snprintf(errors->message, sizeof errors->message, "expected at most %d scans", kMaxScans);
    std::longjmp(errors->back, 1);
  };
  state_.progress = &progress;

  PixelRect wanted, part;
  guard(errors_, name_, [&] {
    choose_output(options);
    jpeg_start_decompress(&state_);
    const auto height = static_cast<int64_t>(state_.output_height);
    const auto width = static_cast<int64_t>(state_.output_width);
    wanted = region.value_or(PixelRect{0, 0, height, width});
    part = wanted;
    if (wanted.width < width) {
      JDIMENSION begin = static_cast<JDIMENSION>(std::max<int64_t>(wanted.x - kMargin, 0));
      JDIMENSION columns =
          static_cast<JDIMENSION>(std::min(wanted.x + wanted.width + kMargin, width)) - begin;
      jpeg_crop_scanline(&state_, &begin, &columns);
      part.x = begin;
      part.width = columns;
    }
  });

  // CMYK rows take more room while they are decoded than after.
  const int64_t channels = options.order == PixelOrder::kGray ? 1 : 3;
  const int64_t spare = part.width * (state_.output_components - channels);
  at::Tensor rows = at::empty({part.height * part.width * channels + spare}, at::kByte);
  guard(errors_, name_, [&] { read_rows(part, rows.mutable_data_ptr<uint8_t>(), options.order); });
  state_.progress = nullptr;
  return rows.as_strided({wanted.height, wanted.width, channels}, {part.width * channels, channels, 1},
                         (wanted.x - part.x) * channels);
}

void Decompressor::read_rows(PixelRect part, uint8_t* rows, PixelOrder order) {
  const int64_t stride = part.width * (order == PixelOrder::kGray ? 1 : 3);
  if (part.y > 0) jpeg_skip_scanlines(&state_, static_cast<JDIMENSION>(part.y));
  for (int64_t y = 0; y < part.height; ++y) {
    JSAMPROW row = rows + y * stride;
    jpeg_read_scanlines(&state_, &row, 1);
    if (state_.num_components == 4) convert_cmyk(row, part.width, order);
  }
  if (state_.output_scanline == state_.output_height) jpeg_finish_decompress(&state_);
}

// Where the stored picture of `height` x `width` holds what the upright one shows in `rect`.
PixelRect stored_rect(PixelRect rect, int64_t orientation, int64_t height, int64_t width) {
  if (internal::swaps_sides(orientation)) rect = {rect.x, rect.y, rect.width, rect.height};
  const bool flips_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool flips_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  if (flips_y) rect.y = height - rect.y - rect.height;
  if (flips_x) rect.x = width - rect.x - rect.width;
  return rect;
}

int64_t scaled(int64_t size, int64_t scale) {
  return (size * scale + 7) / 8;
}

void check_region(const PixelRect& r, int64_t height, int64_t width, const std::string& name) {
  const bool is_inside = r.y >= 0 && r.x >= 0 && r.height > 0 && r.width > 0 && r.y <= height - r.height &&
                         r.x <= width - r.width;
  if (!is_inside) {
    throw UsageError(
        fmt::format("[decode_jpeg {}] expected a region inside the picture of [{}, {}], got "
                    "rows {} to {} and columns {} to {}",
                    name, height, width, r.y, r.y + r.height, r.x, r.x + r.width));
  }
}

}  // namespace

JpegInfo read_jpeg_info(ByteSpan bytes, const std::string& name) {
  Decompressor jpeg(bytes, name);
  const jpeg_decompress_struct& state = jpeg.state();
  JpegInfo info{.height = state.image_height,
                .width = state.image_width,
                .components = state.num_components,
                .orientation = jpeg.orientation(),
                .is_progressive = state.progressive_mode != 0};
  if (internal::swaps_sides(info.orientation)) std::swap(info.height, info.width);
  return info;
}

at::Tensor decode_jpeg(ByteSpan bytes, const JpegDecodeOptions& options) {
  if (options.scale < 1 || options.scale > 8) {
    throw UsageError(fmt::format("[decode_jpeg {}] expected a scale of 1 to 8 eighths, got {}", options.name,
                                 options.scale));
  }
  Decompressor jpeg(bytes, options.name);
  const int64_t height = jpeg.state().image_height, width = jpeg.state().image_width;
  if (height * width > options.max_pixels) {
    throw DataError(options.name, fmt::format("expected at most {} pixels, got {} x {}", options.max_pixels,
                                              height, width));
  }
  const int64_t orientation = options.apply_orientation ? jpeg.orientation() : 1;
  std::optional<PixelRect> region = options.region;
  if (region) {
    int64_t rows = scaled(height, options.scale), columns = scaled(width, options.scale);
    const bool swaps = internal::swaps_sides(orientation);
    check_region(*region, swaps ? columns : rows, swaps ? rows : columns, options.name);
    region = stored_rect(*region, orientation, rows, columns);
  }
  return internal::turn(jpeg.read(options, region), orientation);
}

at::Tensor encode_jpeg(const at::Tensor& image, JpegEncodeOptions options) {
  const bool is_image = image.dim() == 3 && image.scalar_type() == at::kByte &&
                        (image.size(2) == 1 || image.size(2) == 3) && image.numel() > 0 &&
                        image.size(0) <= JPEG_MAX_DIMENSION && image.size(1) <= JPEG_MAX_DIMENSION;
  if (!is_image) {
    throw UsageError(fmt::format(
        "[encode_jpeg] expected uint8 [H, W, 1 or 3] with sides of 1 to {}, got {} {}", JPEG_MAX_DIMENSION,
        at::toString(image.scalar_type()), fmt::format("[{}]", fmt::join(image.sizes(), ", "))));
  }
  if (options.quality < 1 || options.quality > 100) {
    throw UsageError(fmt::format("[encode_jpeg] expected a quality of 1 to 100, got {}", options.quality));
  }
  const at::Tensor pixels = image.contiguous();
  const bool is_gray = image.size(2) == 1;
  const J_COLOR_SPACE colour = is_gray                             ? JCS_GRAYSCALE
                               : options.order == PixelOrder::kBgr ? JCS_EXT_BGR
                                                                   : JCS_RGB;
  ErrorManager errors;
  jpeg_compress_struct state = {};
  state.err = &errors;
  struct Output {
    unsigned char* data = nullptr;
    unsigned long size = 0;
    jpeg_compress_struct* state;
    ~Output() {
      jpeg_destroy_compress(state);
      std::free(data);
    }
  } output{.state = &state};
  guard(errors, "encode_jpeg", [&] {
    jpeg_create_compress(&state);
    jpeg_mem_dest(&state, &output.data, &output.size);
    state.image_height = static_cast<JDIMENSION>(pixels.size(0));
    state.image_width = static_cast<JDIMENSION>(pixels.size(1));
    state.input_components = static_cast<int>(pixels.size(2));
    state.in_color_space = colour;
    jpeg_set_defaults(&state);
    jpeg_set_quality(&state, static_cast<int>(options.quality), TRUE);
    jpeg_start_compress(&state, TRUE);
    const int64_t stride = pixels.size(1) * pixels.size(2);
    for (int64_t y = 0; y < pixels.size(0); ++y) {
      JSAMPROW row = const_cast<uint8_t*>(pixels.const_data_ptr<uint8_t>()) + y * stride;
      jpeg_write_scanlines(&state, &row, 1);
    }
    jpeg_finish_compress(&state);
  });
  at::Tensor bytes = at::empty({static_cast<int64_t>(output.size)}, at::kByte);
  std::memcpy(bytes.mutable_data_ptr<uint8_t>(), output.data, output.size);
  return bytes;
}

}  // namespace belfry::imgaug
