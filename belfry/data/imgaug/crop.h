#pragma once

#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

/// A part of the image of size `crop_shape`, all places equally likely.
class RandomCrop final : public ImageAugmentor {
 public:
  /// Throws UsageError when the size is not positive.
  explicit RandomCrop(Size2 crop_shape);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 crop_shape_;
};

/// The middle of the image.
class CenterCrop final : public ImageAugmentor {
 public:
  /// Throws UsageError when the size is not positive.
  explicit CenterCrop(Size2 crop_shape);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 crop_shape_;
};

struct RandomCropRandomShapeOptions {
  int64_t wmin = 1, hmin = 1;
  /// 0: the image's own size.
  int64_t wmax = 0, hmax = 0;
};

/// A part of the image whose width and height are drawn from [min, max], both included.
class RandomCropRandomShape final : public ImageAugmentor {
 public:
  /// Throws UsageError when a minimum is not positive or above its maximum.
  explicit RandomCropRandomShape(RandomCropRandomShapeOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  RandomCropRandomShapeOptions options_;
};

struct GoogleNetRandomCropAndResizeOptions {
  /// The part's area as a fraction of the image's.
  Range crop_area_fraction = {0.08, 1};
  /// Width by height, or, as often, height by width.
  Range aspect_ratio_range = {0.75, 1.333};
  int64_t target_shape = 224;
  Interpolation interp = Interpolation::kLinear;
};

/// The random crop of "Going Deeper with Convolutions", section 6, for training on ImageNet: a part of random
/// area and aspect ratio, resized to a square. When no such part is found in 10 draws, the shortest edge is
/// resized and the middle cropped. Its transform is a TransformList of a crop and a resize, or the reverse.
class GoogleNetRandomCropAndResize final : public ImageAugmentor {
 public:
  /// Throws UsageError when a range is empty or not positive or the target is not positive.
  explicit GoogleNetRandomCropAndResize(GoogleNetRandomCropAndResizeOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  GoogleNetRandomCropAndResizeOptions options_;
};

struct RandomCutoutOptions {
  /// The rectangle's size is drawn from [low, high); equal numbers are that size.
  int64_t h_low = 0, h_high = 0;
  int64_t w_low = 0, w_high = 0;
  double fill = 0;
};

/// Fills a rectangle at a random place, as in "Improved Regularization of Convolutional Neural Networks with
/// Cutout".
class RandomCutout final : public ImageAugmentor {
 public:
  /// Throws UsageError when a range is empty or not positive.
  explicit RandomCutout(RandomCutoutOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  RandomCutoutOptions options_;
};

}  // namespace belfry::imgaug
