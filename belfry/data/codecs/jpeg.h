#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/base/file_system.h"

namespace belfry::imgaug {

enum class PixelOrder { kRgb, kBgr, kGray };

/// What the header of a JPEG says.
struct JpegInfo {
  /// Of the upright picture: what `decode_jpeg` returns by default.
  int64_t height = 0, width = 0;
  /// As stored: 1 is gray, 3 colour, 4 CMYK.
  int64_t components = 0;
  /// EXIF's: 1 is upright, 2 to 8 are its seven mirrored and turned forms.
  int64_t orientation = 1;
  bool is_progressive = false;
};

/// A rectangle of pixels: rows [y, y + height), columns [x, x + width).
struct PixelRect {
  int64_t y = 0, x = 0, height = 0, width = 0;
};

struct JpegDecodeOptions {
  PixelOrder order = PixelOrder::kRgb;
  /// Decode at `scale` eighths of the size, rounded up, from 1 to 8: 4 is half the height and width. The
  /// inverse DCT does it, so that it takes less time, most of all at 4, 2 and 1.
  int64_t scale = 8;
  /// Decode only this part of the (scaled, upright) picture. Its pixels are those of the whole decoded, cut
  /// out; its rows may be further apart than its width: the result is a view.
  std::optional<PixelRect> region = std::nullopt;
  /// Turn the picture as the orientation says that its EXIF has, or else its XMP.
  bool apply_orientation = true;
  /// Return what was decoded of a file that is truncated or damaged inside, where that is possible. What is
  /// missing is gray. (What lies below `region` is not read, so damage there is not seen.)
  bool accept_damage = false;
  /// A picture of more pixels, before scaling, is an error.
  int64_t max_pixels = 100'000'000;
  /// The file or key, for messages.
  std::string name = "JPEG";
};

/// Reads the header alone. `name` is for messages. Throws DataError when it is not a JPEG's.
JpegInfo read_jpeg_info(ByteSpan bytes, const std::string& name = "JPEG");

/// The picture as uint8 [H, W, 3], or [H, W, 1] for PixelOrder::kGray: the pixels that OpenCV's `imdecode`
/// gives with the same libjpeg-turbo. Gray, colour and CMYK files are converted to the order that is asked.
///
/// Throws DataError with `name` for what is empty, truncated, damaged, no JPEG or too large, and UsageError
/// for options out of range. Safe to call from any thread.
at::Tensor decode_jpeg(ByteSpan bytes, const JpegDecodeOptions& options = {});

struct JpegEncodeOptions {
  /// 1 to 100, as in every libjpeg program.
  int64_t quality = 95;
  /// The order of the image's channels. Images of one channel are always gray.
  PixelOrder order = PixelOrder::kRgb;
};

/// The image, uint8 [H, W, 3] or [H, W, 1], as the bytes of a baseline JPEG with 4:2:0 colour: uint8 [size],
/// the same as OpenCV's `imencode`. Throws UsageError for another image or option.
at::Tensor encode_jpeg(const at::Tensor& image, JpegEncodeOptions options = {});

}  // namespace belfry::imgaug
