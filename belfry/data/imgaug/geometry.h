#pragma once

#include <array>
#include <optional>

#include "belfry/data/imgaug/augmentor.h"

// All of these draw WarpAffineTransforms, whose coordinates count from the middle of the first pixel.

namespace belfry::imgaug {

struct ShiftOptions {
  /// The largest shift, either way, as a fraction of the width and of the height.
  double horiz_frac = 0, vert_frac = 0;
  Border border = Border::kReplicate;
  /// The colour outside for Border::kConstant.
  std::array<double, 3> border_value = {0, 0, 0};
};

/// Shifts the image by whole pixels.
class Shift final : public ImageAugmentor {
 public:
  /// Throws UsageError when a fraction is not in [0, 1).
  explicit Shift(ShiftOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  ShiftOptions options_;
};

struct RotationOptions {
  /// Where the centre lies, as a fraction of the width and of the height.
  Range center_range = {0, 1};
  Interpolation interp = Interpolation::kLinear;
  Border border = Border::kReplicate;
  /// Angles are multiples of this; max_deg must then be 180, and this divide it.
  std::optional<double> step_deg = {};
  /// The colour outside for Border::kConstant.
  std::array<double, 3> border_value = {0, 0, 0};
};

/// Turns the image around a random centre, by an angle in [-max_deg, max_deg).
class Rotation final : public ImageAugmentor {
 public:
  /// Throws UsageError for an empty range or steps that do not fit.
  explicit Rotation(double max_deg, RotationOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  double max_deg_;
  RotationOptions options_;
};

struct RotationAndCropValidOptions {
  Interpolation interp = Interpolation::kLinear;
  /// As in RotationOptions.
  std::optional<double> step_deg = {};
};

/// Turns the image around its middle by an angle in [-max_deg, max_deg), and crops the largest upright
/// rectangle that has nothing from outside: results have different sizes. Its transform is a TransformList.
class RotationAndCropValid final : public ImageAugmentor {
 public:
  /// Throws UsageError for steps that do not fit.
  explicit RotationAndCropValid(double max_deg, RotationAndCropValidOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

  /// The size of that rectangle for an h x w image.
  static Size2 largest_rotated_rect(Size2 size, double degrees);

 private:
  double max_deg_;
  RotationAndCropValidOptions options_;
};

struct AffineOptions {
  /// The range of the factor of size; 1 when there is none.
  std::optional<Range> scale = {};
  /// The largest shift, either way, as fractions of the width and of the height; by whole pixels.
  double translate_frac_x = 0, translate_frac_y = 0;
  /// The largest angle of rotation and of shear, either way, in degrees.
  double rotate_max_deg = 0;
  double shear = 0;
  Interpolation interp = Interpolation::kLinear;
  Border border = Border::kReplicate;
  /// The colour outside for Border::kConstant.
  std::array<double, 3> border_value = {0, 0, 0};
};

/// Scales, shifts, turns and shears the image around its middle.
class Affine final : public ImageAugmentor {
 public:
  /// Throws UsageError when the scale's range is empty or not positive, or another number is negative.
  explicit Affine(AffineOptions options);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  AffineOptions options_;
};

}  // namespace belfry::imgaug
