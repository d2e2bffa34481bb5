#pragma once

#include <ATen/core/Tensor.h>

#include "belfry/data/images/image_spec.h"

namespace belfry::imgaug::internal {

/// A stretch of a picture's rows or columns, of which the ends may lie inside of pixels.
struct Stretch {
  double begin = 0, size = 0;
};

/// A stretch of whole pixels.
struct PixelSpan {
  int64_t begin = 0, end = 0;
};

/// Whether `resample` knows this interpolation. kArea is for making smaller only.
bool can_resample(Interpolation interpolation);

/// The pixels that are read to make `count` pixels of `from`; may lie outside of the picture.
PixelSpan pixels_needed(Stretch from, int64_t count, Interpolation interpolation);

/// The part `y`, `x` of `image` as h x w pixels: what cv::resize makes of a part whose ends are whole pixels,
/// up to rounding, but for any ends. What lies outside of the image is its nearest pixel.
///
/// `image`: uint8 [H, W, C] with dense rows. Requires: can_resample.
at::Tensor resample(const at::Tensor& image, Stretch y, Stretch x, int64_t h, int64_t w,
                    Interpolation interpolation);

}  // namespace belfry::imgaug::internal
