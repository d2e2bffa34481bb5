#include "belfry/data/imgaug/misc.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/data/imgaug/internal/draw.h"

namespace belfry::imgaug {
namespace {

constexpr int kMaxDraws = 50;

int64_t rounded(double pixels) {
  return static_cast<int64_t>(pixels + 0.5);
}

}  // namespace

Flip::Flip(FlipOptions options) : options_(options) {
  if (options_.horiz == options_.vert) {
    throw UsageError(fmt::format("[Flip] expected horiz or vert, got {}; use two Flip for both",
                                 options_.horiz ? "both" : "neither"));
  }
  internal::check_probability("Flip", options_.prob);
}

TransformPtr Flip::get_transform(const ImageSpec& image, Rng& rng) const {
  if (!internal::draw_bool(options_.prob, rng)) return std::make_shared<NoOpTransform>();
  return std::make_shared<FlipTransform>(image.h, image.w, options_.horiz);
}

Resize::Resize(Size2 shape, Interpolation interp) : shape_(shape), interp_(interp) {
  if (shape.h <= 0 || shape.w <= 0) {
    throw UsageError(fmt::format("[Resize] expected a positive size, got {} x {}", shape.h, shape.w));
  }
}

TransformPtr Resize::get_transform(const ImageSpec& image, Rng&) const {
  return std::make_shared<ResizeTransform>(image.h, image.w, shape_.h, shape_.w, interp_);
}

ResizeShortestEdge::ResizeShortestEdge(int64_t size, Interpolation interp) : size_(size), interp_(interp) {
  if (size <= 0) throw UsageError(fmt::format("[ResizeShortestEdge] expected a positive size, got {}", size));
}

TransformPtr ResizeShortestEdge::get_transform(const ImageSpec& image, Rng&) const {
  const double scale = static_cast<double>(size_) / static_cast<double>(std::min(image.h, image.w));
  const auto scaled = [&](int64_t side) { return rounded(scale * static_cast<double>(side)); };
  const Size2 size = image.h < image.w ? Size2(size_, scaled(image.w)) : Size2(scaled(image.h), size_);
  return std::make_shared<ResizeTransform>(image.h, image.w, size.h, size.w, interp_);
}

RandomResize::RandomResize(RandomResizeOptions options) : options_(options) {
  internal::check_range("RandomResize", "xrange", options_.xrange);
  internal::check_range("RandomResize", "yrange", options_.yrange);
  if (options_.xrange.low <= 0 || options_.yrange.low <= 0) {
    throw UsageError(
        fmt::format("[RandomResize] expected positive ranges, got xrange from {} and yrange from {}",
                    options_.xrange.low, options_.yrange.low));
  }
  if (options_.aspect_ratio_thres < 0) {
    throw UsageError(
        fmt::format("[RandomResize] expected aspect_ratio_thres >= 0, got {}", options_.aspect_ratio_thres));
  }
}

Size2 RandomResize::draw_size(const ImageSpec& image, Rng& rng) const {
  const auto h = static_cast<double>(image.h), w = static_cast<double>(image.w);
  const bool keeps_ratio = options_.aspect_ratio_thres == 0;
  const double x =
      options_.in_pixels ? internal::draw(options_.xrange, rng) / w : internal::draw(options_.xrange, rng);
  double y = x;
  if (!keeps_ratio)
    y = options_.in_pixels ? internal::draw(options_.yrange, rng) / h : internal::draw(options_.yrange, rng);
  return {std::max({rounded(y * h), options_.min_h, int64_t{1}}),
          std::max({rounded(x * w), options_.min_w, int64_t{1}})};
}

TransformPtr RandomResize::get_transform(const ImageSpec& image, Rng& rng) const {
  const double old_ratio = static_cast<double>(image.w) / static_cast<double>(image.h);
  for (int i = 0; i < kMaxDraws; ++i) {
    const Size2 size = draw_size(image, rng);
    const double ratio = static_cast<double>(size.w) / static_cast<double>(size.h);
    const double change = std::abs(ratio - old_ratio) / old_ratio;
    if (options_.aspect_ratio_thres == 0 || change < options_.aspect_ratio_thres + 1e-5) {
      return std::make_shared<ResizeTransform>(image.h, image.w, size.h, size.w, options_.interp);
    }
  }
  log_warning("RandomResize found no size with the aspect ratio of {} x {} in {} draws", image.h, image.w,
              kMaxDraws);
  return std::make_shared<NoOpTransform>();
}

Transpose::Transpose(double prob) : prob_(prob) {
  internal::check_probability("Transpose", prob);
}

TransformPtr Transpose::get_transform(const ImageSpec&, Rng& rng) const {
  if (!internal::draw_bool(prob_, rng)) return std::make_shared<NoOpTransform>();
  return std::make_shared<TransposeTransform>();
}

}  // namespace belfry::imgaug
