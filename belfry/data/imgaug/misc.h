#pragma once

#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

struct FlipOptions {
  /// Exactly one of these: exchange left and right, or top and bottom.
  bool horiz = false;
  bool vert = false;
  double prob = 0.5;
};

/// Mirrors the image with probability `prob`.
class Flip final : public ImageAugmentor {
 public:
  /// Throws UsageError when not exactly one direction is chosen, or `prob` is no probability.
  explicit Flip(FlipOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  FlipOptions options_;
};

/// Resizes the image to `shape`, whatever its aspect ratio.
class Resize final : public ImageAugmentor {
 public:
  /// Throws UsageError when the size is not positive.
  explicit Resize(Size2 shape, Interpolation interp = Interpolation::kLinear);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 shape_;
  Interpolation interp_;
};

/// Resizes the image so that its shortest edge has `size` pixels, keeping its aspect ratio.
class ResizeShortestEdge final : public ImageAugmentor {
 public:
  /// Throws UsageError when the size is not positive.
  explicit ResizeShortestEdge(int64_t size, Interpolation interp = Interpolation::kLinear);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  int64_t size_;
  Interpolation interp_;
};

struct RandomResizeOptions {
  /// Of the new width and height: factors of the old ones, or pixels when `in_pixels`. yrange is not used
  /// when aspect_ratio_thres is 0.
  Range xrange = {1, 1};
  Range yrange = {1, 1};
  bool in_pixels = false;
  /// The smallest width and height in pixels.
  int64_t min_w = 0, min_h = 0;
  /// Draws that change the aspect ratio by more than this fraction are repeated; after 50 the image keeps its
  /// size and the log says so. 0 keeps the aspect ratio.
  double aspect_ratio_thres = 0.15;
  Interpolation interp = Interpolation::kLinear;
};

/// Resizes the image to a random width and height.
class RandomResize final : public ImageAugmentor {
 public:
  /// Throws UsageError when a range is empty or not positive, or the threshold is negative.
  explicit RandomResize(RandomResizeOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 draw_size(const ImageSpec& image, Rng& rng) const;

  RandomResizeOptions options_;
};

/// Exchanges rows and columns with probability `prob`.
class Transpose final : public ImageAugmentor {
 public:
  /// Throws UsageError when `prob` is no probability.
  explicit Transpose(double prob = 0.5);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  double prob_;
};

}  // namespace belfry::imgaug
