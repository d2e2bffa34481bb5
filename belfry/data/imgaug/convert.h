#pragma once

#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

/// Converts into another color space, for every image that it is given.
class ColorSpace final : public ImageAugmentor {
 public:
  /// `code`: a color conversion code of OpenCV, from 3 or 1 channels to 3 or 1 channels:
  /// `ColorSpace(cv::COLOR_BGR2HSV)`. Throws UsageError when it is none of these. An image of one channel is
  /// [H, W, 1], or [H, W] without `keepdims`.
  explicit ColorSpace(int code, bool keepdims = true);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  int code_;
  int64_t channels_;
  bool keepdims_;
};

struct GrayscaleOptions {
  /// Whether the image's channels are red, green, blue; else blue, green, red.
  bool rgb = false;
  /// Three equal channels instead of one.
  bool keepshape = false;
  /// Without keepshape: an image [H, W, 1], else [H, W].
  bool keepdims = true;
};

/// Converts 3 channels to gray: an image [H, W, 1], [H, W] or, with `keepshape`, [H, W, 3].
class Grayscale final : public ImageAugmentor {
 public:
  explicit Grayscale(GrayscaleOptions options = {}) : options_(options) {}
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  GrayscaleOptions options_;
};

/// Clips to [0, 255] and truncates to uint8.
class ToUint8 final : public ImageAugmentor {
 public:
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;
};

/// Converts to float32, values unchanged: changes of colour that follow lose nothing by truncation.
class ToFloat32 final : public ImageAugmentor {
 public:
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;
};

}  // namespace belfry::imgaug
