#pragma once

#include <array>
#include <optional>

#include "belfry/data/imgaug/augmentor.h"

// Changes of colour. Where a class clips, that is to [0, 255]; uint8 images are always clipped, and their new
// values truncated. Those marked (*) are computed in one pass when they stand side by side in a list.

namespace belfry::imgaug {

struct HueOptions {
  /// What is added to the hue, in units of two degrees: {-90, 90} is every change there is.
  Range range = {0, 180};
  /// Whether the image's channels are red, green, blue; else blue, green, red.
  bool rgb = true;
};

/// Turns the hue by a random angle.
class Hue final : public ImageAugmentor {
 public:
  /// Throws UsageError when the range is empty.
  explicit Hue(HueOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  HueOptions options_;
};

/// Adds a number in [-delta, delta). (*)
class Brightness final : public ImageAugmentor {
 public:
  /// `clip`: also clip float images. Throws UsageError when delta <= 0.
  explicit Brightness(double delta, bool clip = true);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  double delta_;
  bool clip_;
};

/// Multiplies by a number from `range`. (*)
class BrightnessScale final : public ImageAugmentor {
 public:
  /// `clip`: also clip float images. Throws UsageError when the range is empty.
  explicit BrightnessScale(Range range, bool clip = true);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Range range_;
  bool clip_;
};

struct ContrastOptions {
  /// Nothing: each channel's own mean. Else the mean of the gray image, from red, green, blue when true, from
  /// blue, green, red when false.
  std::optional<bool> rgb = {};
  bool clip = true;
};

/// (x - mean) * factor + mean, with a factor from `factor_range`. (*)
class Contrast final : public ImageAugmentor {
 public:
  /// Throws UsageError when the range is empty.
  explicit Contrast(Range factor_range, ContrastOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Range factor_range_;
  ContrastOptions options_;
};

/// (x - mean) / max(deviation, 1 / sqrt(number of values)), as float32. (*)
class MeanVarianceNormalize final : public ImageAugmentor {
 public:
  /// `all_channel`: mean and deviation of all channels together, else of each.
  explicit MeanVarianceNormalize(bool all_channel = true) : all_channel_(all_channel) {}
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  bool all_channel_;
};

struct GaussianBlurOptions {
  /// The window has 2 * size + 1 pixels, size drawn from [size_low, size_high).
  int64_t size_low = 0, size_high = 3;
  /// Of the standard deviation in pixels; 0: what suits the window.
  Range sigma_range = {0, 0};
  /// The same window and deviation for both directions.
  bool symmetric = true;
};

/// Blurs with a Gaussian window.
class GaussianBlur final : public ImageAugmentor {
 public:
  /// Throws UsageError when a range is empty or negative.
  explicit GaussianBlur(GaussianBlurOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  GaussianBlurOptions options_;
};

/// 255 * (x / 255)^(1 / (1 + gamma)), gamma drawn from `range`; computed in 256 steps for float images too.
/// (*)
class Gamma final : public ImageAugmentor {
 public:
  /// Throws UsageError when the range is empty or reaches -1.
  explicit Gamma(Range range = {-0.5, 0.5});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Range range_;
};

/// Clips to [range.low, range.high]. (*)
class Clip final : public ImageAugmentor {
 public:
  /// Throws UsageError when the range is empty.
  explicit Clip(Range range = {0, 255});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  Range range_;
};

struct SaturationOptions {
  /// Whether the image's channels are red, green, blue; else blue, green, red.
  bool rgb = true;
  bool clip = true;
};

/// x * v + gray * (1 - v), v drawn from [1 - alpha, 1 + alpha). (*)
class Saturation final : public ImageAugmentor {
 public:
  /// Throws UsageError when alpha is not in [0, 1).
  explicit Saturation(double alpha = 0.4, SaturationOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  double alpha_;
  SaturationOptions options_;
};

struct LightingOptions {
  /// Of the colours of the pixels of the training set: the principal components' variances, and their
  /// directions, one in each column: eigvec[channel][component].
  std::array<double, 3> eigval = {};
  std::array<std::array<double, 3>, 3> eigvec = {};
  bool clip = true;
};

/// Adds to each channel the same random number for all pixels: along each principal component, a normal one
/// with deviation std * eigval. As in "ImageNet Classification with Deep Convolutional Neural Networks". (*)
class Lighting final : public ImageAugmentor {
 public:
  /// Throws UsageError when std is negative.
  Lighting(double std, LightingOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  double std_;
  LightingOptions options_;
};

struct MinMaxNormalizeOptions {
  double min = 0, max = 255;
  /// Extremes of all channels together, else of each.
  bool all_channel = true;
};

/// Scales linearly so that the smallest value becomes `min` and the largest `max`, as float32. An image of
/// one value becomes `min`. (*)
class MinMaxNormalize final : public ImageAugmentor {
 public:
  explicit MinMaxNormalize(MinMaxNormalizeOptions options = {}) : options_(options) {}
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  MinMaxNormalizeOptions options_;
};

}  // namespace belfry::imgaug
