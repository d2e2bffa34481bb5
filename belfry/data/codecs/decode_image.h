#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "belfry/base/file_system.h"
#include "belfry/data/codecs/jpeg.h"
#include "belfry/data/images/image_spec.h"

namespace belfry::imgaug {

struct DecodeOptions {
  PixelOrder order = PixelOrder::kRgb;
  /// As of JpegDecodeOptions: what is missing of a truncated JPEG is gray instead of an error.
  bool accept_damage = false;
  /// A picture of more pixels is an error.
  int64_t max_pixels = 100'000'000;
  /// The file or key, for messages.
  std::string name = "image";
};

/// The picture in a JPEG or PNG file as uint8 [H, W, 3], or [H, W, 1] for PixelOrder::kGray, upright: turned
/// as the orientation says that EXIF has, or else XMP, in JPEGs and in PNGs. Of a PNG, transparency is left
/// out and 16 bits become 8, as OpenCV does.
///
/// Throws DataError with the name for what is empty, truncated, damaged, of another format or too large. Safe
/// to call from any thread.
at::Tensor decode_image(ByteSpan bytes, const DecodeOptions& options = {});

/// What is known of that picture from its header alone. Throws DataError where decode_image would because of
/// the header.
ImageSpec read_image_spec(ByteSpan bytes, const DecodeOptions& options = {});

}  // namespace belfry::imgaug
