#pragma once

#include "belfry/data/imgaug/augmentor.h"

// The noise of a transform is fixed: applied to the same image again, it gives the same result.

namespace belfry::imgaug {

struct JpegNoiseOptions {
  /// The quality is drawn from [quality_low, quality_high).
  int64_t quality_low = 40, quality_high = 100;
  /// Whether the image's channels are red, green, blue; else blue, green, red.
  bool rgb = false;
};

/// What JPEG leaves of the image. Float images, of values up to 255, are rounded to bytes for it. One channel
/// stays one.
class JpegNoise final : public ImageAugmentor {
 public:
  /// Throws UsageError when the range is empty or not in [1, 100].
  explicit JpegNoise(JpegNoiseOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  JpegNoiseOptions options_;
};

struct GaussianNoiseOptions {
  /// The standard deviation.
  double sigma = 1;
  /// Clip float images to [0, 255]; uint8 images always are, and truncated.
  bool clip = true;
};

/// Adds to each value a number of its own from the normal distribution of mean 0.
class GaussianNoise final : public ImageAugmentor {
 public:
  /// Throws UsageError when sigma is negative.
  explicit GaussianNoise(GaussianNoiseOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  GaussianNoiseOptions options_;
};

/// Sets some of the values, each for itself whatever its channel, to 255 or 0.
class SaltPepperNoise final : public ImageAugmentor {
 public:
  /// The probabilities of 255 and of 0. Throws UsageError when they are none, or their sum is above 1.
  explicit SaltPepperNoise(double white_prob = 0.05, double black_prob = 0.05);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  double white_prob_, black_prob_;
};

}  // namespace belfry::imgaug
