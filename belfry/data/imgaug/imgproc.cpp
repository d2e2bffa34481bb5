#include "belfry/data/imgaug/imgproc.h"

#include <fmt/format.h>

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/color_transforms.h"
#include "belfry/data/imgaug/internal/draw.h"
#include "belfry/data/imgaug/internal/mat.h"

// Augmentors of colour, as tensorpack's imgaug/imgproc.py: each draws its numbers and gives a transform.
// What one pixel and sums over the image are enough for is a PixelTransform, which is computed in one pass
// with its neighbours; the others call OpenCV.
namespace belfry::imgaug {
namespace {

// As Python's %: never negative.
float wrapped(float hue, float turn) {
  const float rest = std::fmod(hue, turn);
  return rest < 0 ? rest + turn : rest;
}

void turn_hue(cv::Mat& hsv, float hue) {
  if (hsv.depth() == CV_32F) {  // degrees
    const float turn = wrapped(2 * hue, 360);
    for (int y = 0; y < hsv.rows; ++y) {
      auto* row = hsv.ptr<cv::Vec3f>(y);
      for (int x = 0; x < hsv.cols; ++x) {
        const float turned = row[x][0] + turn;
        row[x][0] = turned < 360 ? turned : turned - 360;
      }
    }
    return;
  }
  cv::Mat table(1, 256, CV_8UC3);  // two degrees
  for (int i = 0; i < 256; ++i) {
    const auto byte = static_cast<uint8_t>(i);
    table.at<cv::Vec3b>(i) = {static_cast<uint8_t>(wrapped(static_cast<float>(i) + hue, 180)), byte, byte};
  }
  cv::LUT(hsv, table, hsv);
}

}  // namespace

Hue::Hue(HueOptions options) : options_(options) {
  internal::check_range("Hue", "range", options_.range);
}

TransformPtr Hue::get_transform(const ImageSpec&, Rng& rng) const {
  const float hue = internal::draw(options_.range, rng);
  const bool rgb = options_.rgb;
  return std::make_shared<PhotometricTransform>(
      fmt::format("Hue({}, rgb={})", hue, rgb), [hue, rgb](const at::Tensor& image) {
        return internal::with_mats(image, image.size(0), image.size(1),
                                   [&](const cv::Mat& from, cv::Mat& to) {
                                     cv::Mat hsv;
                                     cv::cvtColor(from, hsv, rgb ? cv::COLOR_RGB2HSV : cv::COLOR_BGR2HSV);
                                     turn_hue(hsv, hue);
                                     cv::cvtColor(hsv, to, rgb ? cv::COLOR_HSV2RGB : cv::COLOR_HSV2BGR);
                                   });
      });
}

Brightness::Brightness(double delta, bool clip) : delta_(delta), clip_(clip) {
  if (!(delta > 0) || std::isinf(delta))
    throw UsageError(fmt::format("[Brightness] expected a finite delta > 0, got {}", delta));
}

TransformPtr Brightness::get_transform(const ImageSpec&, Rng& rng) const {
  return std::make_shared<internal::ScaleShiftTransform>("Brightness", 1.0f,
                                                         internal::draw({-delta_, delta_}, rng), clip_);
}

BrightnessScale::BrightnessScale(Range range, bool clip) : range_(range), clip_(clip) {
  internal::check_range("BrightnessScale", "range", range);
}

TransformPtr BrightnessScale::get_transform(const ImageSpec&, Rng& rng) const {
  return std::make_shared<internal::ScaleShiftTransform>("BrightnessScale", internal::draw(range_, rng), 0.0f,
                                                         clip_);
}

Contrast::Contrast(Range factor_range, ContrastOptions options)
    : factor_range_(factor_range), options_(options) {
  internal::check_range("Contrast", "factor_range", factor_range);
}

TransformPtr Contrast::get_transform(const ImageSpec&, Rng& rng) const {
  return std::make_shared<internal::ContrastTransform>(internal::draw(factor_range_, rng), options_.rgb,
                                                       options_.clip);
}

TransformPtr MeanVarianceNormalize::get_transform(const ImageSpec&, Rng&) const {
  return std::make_shared<internal::MeanVarianceTransform>(all_channel_);
}

GaussianBlur::GaussianBlur(GaussianBlurOptions options) : options_(options) {
  const auto& [size_low, size_high, sigma_range, symmetric] = options_;
  internal::check_range("GaussianBlur", "sigma_range", sigma_range);
  if (size_low < 0 || size_low >= size_high || sigma_range.low < 0) {
    throw UsageError(
        fmt::format("[GaussianBlur] expected 0 <= size_low < size_high and sigma >= 0, got {}, {} and {}",
                    size_low, size_high, sigma_range.low));
  }
}

TransformPtr GaussianBlur::get_transform(const ImageSpec&, Rng& rng) const {
  const auto draw_window = [&] {
    return static_cast<int>(2 * internal::draw_integer(options_.size_low, options_.size_high, rng) + 1);
  };
  const int x_size = draw_window(), y_size = options_.symmetric ? x_size : draw_window();
  const float x_sigma = internal::draw(options_.sigma_range, rng);
  const float y_sigma = options_.symmetric ? x_sigma : internal::draw(options_.sigma_range, rng);
  return std::make_shared<PhotometricTransform>(
      fmt::format("GaussianBlur(size=({}, {}), sigma=({}, {}))", x_size, y_size, x_sigma, y_sigma),
      [=](const at::Tensor& image) {
        return internal::with_mats(
            image, image.size(0), image.size(1), [&](const cv::Mat& from, cv::Mat& to) {
              cv::GaussianBlur(from, to, {x_size, y_size}, x_sigma, y_sigma, cv::BORDER_REPLICATE);
            });
      });
}

Gamma::Gamma(Range range) : range_(range) {
  internal::check_range("Gamma", "range", range);
  if (range.low <= -1) throw UsageError(fmt::format("[Gamma] expected a range above -1, got {}", range.low));
}

TransformPtr Gamma::get_transform(const ImageSpec&, Rng& rng) const {
  return std::make_shared<internal::GammaTransform>(internal::draw(range_, rng));
}

Clip::Clip(Range range) : range_(range) {
  internal::check_range("Clip", "range", range);
}

TransformPtr Clip::get_transform(const ImageSpec&, Rng&) const {
  return std::make_shared<internal::ClipTransform>(range_);
}

Saturation::Saturation(double alpha, SaturationOptions options) : alpha_(alpha), options_(options) {
  if (!(alpha >= 0 && alpha < 1))
    throw UsageError(fmt::format("[Saturation] expected alpha in [0, 1), got {}", alpha));
}

TransformPtr Saturation::get_transform(const ImageSpec&, Rng& rng) const {
  return std::make_shared<internal::SaturationTransform>(1 + internal::draw({-alpha_, alpha_}, rng),
                                                         options_.rgb, options_.clip);
}

Lighting::Lighting(double std, LightingOptions options) : std_(std), options_(options) {
  if (!(std >= 0) || std::isinf(std))
    throw UsageError(fmt::format("[Lighting] expected a finite std >= 0, got {}", std));
}

TransformPtr Lighting::get_transform(const ImageSpec&, Rng& rng) const {
  std::array<double, 3> amount;
  for (size_t k = 0; k < 3; ++k) amount[k] = internal::draw_normal(rng) * std_ * options_.eigval[k];
  std::array<float, 3> shift;
  for (size_t c = 0; c < 3; ++c) {
    const auto& row = options_.eigvec[c];
    shift[c] = static_cast<float>(row[0] * amount[0] + row[1] * amount[1] + row[2] * amount[2]);
  }
  return std::make_shared<internal::ScaleShiftTransform>("Lighting", shift, options_.clip);
}

TransformPtr MinMaxNormalize::get_transform(const ImageSpec&, Rng&) const {
  return std::make_shared<internal::MinMaxTransform>(Range{options_.min, options_.max}, options_.all_channel);
}

}  // namespace belfry::imgaug
