#include "belfry/data/imgaug/geometry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/draw.h"

// Augmentors that move pixels: each draws the numbers of one affine matrix, of two rows, from places in the
// source to places in the result, whose transform maps images and coordinates alike. What is drawn is what
// tensorpack's imgaug/geometry.py draws.
namespace belfry::imgaug {
namespace {

void check_degrees(const char* who, double max_deg, std::optional<double> step_deg) {
  if (!(max_deg >= 0)) throw UsageError(fmt::format("[{}] expected max_deg >= 0, got {}", who, max_deg));
  if (!step_deg) return;
  if (max_deg != 180 || !(*step_deg > 0) || std::fmod(max_deg, *step_deg) != 0) {
    throw UsageError(fmt::format("[{}] expected max_deg 180 and a step_deg that divides it, got {} and {}",
                                 who, max_deg, *step_deg));
  }
}

void check_not_negative(const char* who, const char* name, double value) {
  if (!(value >= 0)) throw UsageError(fmt::format("[{}] expected {} >= 0, got {}", who, name, value));
}

double draw_degrees(double max_deg, std::optional<double> step_deg, Rng& rng) {
  const double degrees = internal::draw({-max_deg, max_deg}, rng);
  return step_deg ? std::floor(degrees / *step_deg) * *step_deg : degrees;
}

// A whole number of pixels, at most `fraction` of `size` either way.
double draw_shift(double fraction, int64_t size, Rng& rng) {
  const double most = fraction * static_cast<double>(size);
  return std::nearbyint(internal::draw({-most, most}, rng));
}

AffineMatrix rotation(double center_x, double center_y, double degrees, double scale) {
  const cv::Point2f center(static_cast<float>(center_x), static_cast<float>(center_y));
  const cv::Matx23d matrix = cv::getRotationMatrix2D_(center, degrees, scale);
  AffineMatrix result;
  std::copy_n(matrix.val, result.size(), result.begin());
  return result;
}

struct Point {
  double x, y;
};

// A quarter turn around this point maps pixels to pixels.
Point middle(const ImageSpec& image) {
  return {static_cast<double>(image.w) * 0.5 - 0.5, static_cast<double>(image.h) * 0.5 - 0.5};
}

// Shears along x and keeps `center` where it is.
AffineMatrix sheared(const AffineMatrix& m, Point center, double degrees) {
  const double radians = degrees * std::numbers::pi / 180;
  AffineMatrix result = m;
  result[1] = m[1] * std::cos(radians) + m[0] * std::sin(radians);
  result[4] = m[4] * std::cos(radians) + m[3] * std::sin(radians);
  result[2] = center.x * (1 - m[0]) - center.y * result[1];
  result[5] = -center.x * m[3] + center.y * (1 - result[4]);
  return result;
}

}  // namespace

Shift::Shift(ShiftOptions options) : options_(options) {
  for (const double fraction : {options_.horiz_frac, options_.vert_frac}) {
    if (!(fraction >= 0 && fraction < 1)) {
      throw UsageError(fmt::format("[Shift] expected fractions in [0, 1), got {}", fraction));
    }
  }
}

TransformPtr Shift::get_transform(const ImageSpec& image, Rng& rng) const {
  const double dx = draw_shift(options_.horiz_frac, image.w, rng);
  const double dy = draw_shift(options_.vert_frac, image.h, rng);
  return std::make_shared<WarpAffineTransform>(
      AffineMatrix{1, 0, dx, 0, 1, dy}, Size2(image.h, image.w),
      WarpAffineOptions{.border = options_.border, .border_value = options_.border_value});
}

Rotation::Rotation(double max_deg, RotationOptions options) : max_deg_(max_deg), options_(options) {
  check_degrees("Rotation", max_deg, options_.step_deg);
  internal::check_range("Rotation", "center_range", options_.center_range);
}

TransformPtr Rotation::get_transform(const ImageSpec& image, Rng& rng) const {
  const double x = static_cast<double>(image.w) * internal::draw(options_.center_range, rng) - 0.5;
  const double y = static_cast<double>(image.h) * internal::draw(options_.center_range, rng) - 0.5;
  const double degrees = draw_degrees(max_deg_, options_.step_deg, rng);
  return std::make_shared<WarpAffineTransform>(rotation(x, y, degrees, 1), Size2(image.h, image.w),
                                               WarpAffineOptions{.interpolation = options_.interp,
                                                                 .border = options_.border,
                                                                 .border_value = options_.border_value});
}

RotationAndCropValid::RotationAndCropValid(double max_deg, RotationAndCropValidOptions options)
    : max_deg_(max_deg), options_(options) {
  check_degrees("RotationAndCropValid", max_deg, options_.step_deg);
}

TransformPtr RotationAndCropValid::get_transform(const ImageSpec& image, Rng& rng) const {
  const double degrees = draw_degrees(max_deg_, options_.step_deg, rng);
  const Point center = middle(image);
  const Size2 inside = largest_rotated_rect({image.h, image.w}, degrees);
  const int64_t h = std::clamp(inside.h, int64_t{1}, image.h), w = std::clamp(inside.w, int64_t{1}, image.w);
  return std::make_shared<TransformList>(std::vector<TransformPtr>{
      std::make_shared<WarpAffineTransform>(rotation(center.x, center.y, degrees, 1), Size2(image.h, image.w),
                                            WarpAffineOptions{.interpolation = options_.interp}),
      std::make_shared<CropTransform>((image.h - h) / 2, (image.w - w) / 2, h, w)});
}

Size2 RotationAndCropValid::largest_rotated_rect(Size2 size, double degrees) {
  const double radians = degrees * std::numbers::pi / 180;
  const double sine = std::abs(std::sin(radians)), cosine = std::abs(std::cos(radians));
  const auto h = static_cast<double>(size.h), w = static_cast<double>(size.w);
  const double longer = std::max(h, w), shorter = std::min(h, w);
  double inner_w, inner_h;
  if (shorter <= 2 * sine * cosine * longer) {
    // Two corners lie on the longer sides; the other two on the line halfway between them.
    inner_w = shorter / 2 / (w >= h ? sine : cosine);
    inner_h = shorter / 2 / (w >= h ? cosine : sine);
  } else {
    // Each side of the image holds one corner.
    const double determinant = cosine * cosine - sine * sine;
    inner_w = (w * cosine - h * sine) / determinant;
    inner_h = (h * cosine - w * sine) / determinant;
  }
  return {static_cast<int64_t>(std::nearbyint(inner_h)), static_cast<int64_t>(std::nearbyint(inner_w))};
}

Affine::Affine(AffineOptions options) : options_(options) {
  if (options_.scale) {
    internal::check_range("Affine", "scale", *options_.scale);
    if (!(options_.scale->low > 0)) {
      throw UsageError(fmt::format("[Affine] expected scale > 0, got {}", options_.scale->low));
    }
  }
  check_not_negative("Affine", "translate_frac_x", options_.translate_frac_x);
  check_not_negative("Affine", "translate_frac_y", options_.translate_frac_y);
  check_not_negative("Affine", "rotate_max_deg", options_.rotate_max_deg);
  check_not_negative("Affine", "shear", options_.shear);
}

TransformPtr Affine::get_transform(const ImageSpec& image, Rng& rng) const {
  const double scale = options_.scale ? internal::draw(*options_.scale, rng) : 1;
  const double dx = draw_shift(options_.translate_frac_x, image.w, rng);
  const double dy = draw_shift(options_.translate_frac_y, image.h, rng);
  const double shear = internal::draw({-options_.shear, options_.shear}, rng);
  const double degrees = draw_degrees(options_.rotate_max_deg, std::nullopt, rng);
  const Point center = middle(image);
  AffineMatrix matrix = rotation(center.x, center.y, degrees, scale);
  if (options_.shear > 0) matrix = sheared(matrix, center, shear);
  matrix[2] += dx;
  matrix[5] += dy;
  return std::make_shared<WarpAffineTransform>(matrix, Size2(image.h, image.w),
                                               WarpAffineOptions{.interpolation = options_.interp,
                                                                 .border = options_.border,
                                                                 .border_value = options_.border_value});
}

}  // namespace belfry::imgaug
