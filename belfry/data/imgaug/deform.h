#pragma once

#include <vector>

#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

struct GaussianDeformOptions {
  /// Of the weight exp(-distance^2 / sigma), where the image is one unit high and wide.
  double sigma = 0.5;
  /// The largest offset in pixels, either way; 0: an eighth of the height.
  double randrange = 0;
};

/// A place in an image: 0 is its top or left edge, 1 its bottom or right edge.
struct Anchor {
  double y, x;
};

/// Bends the image: each anchor pulls what is near to it by a random offset. The result is float32. Its
/// transform cannot say where a point goes: apply_coords throws UsageError.
class GaussianDeform final : public ImageAugmentor {
 public:
  /// For images of size `shape` only. Keeps one number for each pixel and anchor. Throws UsageError when
  /// there is no anchor, or sigma, randrange or the size are out of range.
  GaussianDeform(const std::vector<Anchor>& anchors, Size2 shape, GaussianDeformOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Size2 shape_;
  double randrange_;
  at::Tensor weights_;  // [H, W, anchors]
};

}  // namespace belfry::imgaug
