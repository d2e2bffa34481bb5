#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

namespace belfry::imgaug {

/// What is known of an image before its pixels: enough to decide how it will be augmented, so a JPEG's header
/// will do.
struct ImageSpec {
  int64_t h = 0, w = 0;
  int64_t channels = 3;
  at::ScalarType dtype = at::kByte;

  bool operator==(const ImageSpec&) const = default;
};

/// The spec of an image: a CPU tensor [H, W, C] or [H, W] (one channel; what a segmentation mask looks like),
/// uint8 with values in [0, 255] or float32 in [0, 255] or [0, 1], not empty. Throws DataError for anything
/// else. It has 1 to 512 channels, OpenCV's limit; what is for colours, or computed from the mean of
/// channels, wants 1 or 3.
ImageSpec spec_of(const at::Tensor& image);

/// A height and a width in pixels. One number is a square: `Resize(224)`, `Resize({240, 320})`.
struct Size2 {
  int64_t h, w;

  Size2(int64_t side) : h(side), w(side) {}
  Size2(int64_t height, int64_t width) : h(height), w(width) {}
};

/// An interval from which a number is drawn, all values equally likely.
struct Range {
  double low, high;
};

/// How pixels between the given ones are computed. The values are OpenCV's.
enum class Interpolation { kNearest = 0, kLinear = 1, kCubic = 2, kArea = 3, kLanczos4 = 4 };

/// What lies outside of an image: a given colour, the edge's pixel, or the image again, mirrored (with or
/// without the edge's pixel twice) or not. The values are OpenCV's.
enum class Border { kConstant = 0, kReplicate = 1, kReflect = 2, kWrap = 3, kReflect101 = 4 };

}  // namespace belfry::imgaug
