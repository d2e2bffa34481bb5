#include "belfry/data/imgaug/crop.h"

#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/draw.h"
#include "belfry/data/imgaug/misc.h"

namespace belfry::imgaug {
namespace {

void check_positive(const char* who, Size2 size) {
  if (size.h > 0 && size.w > 0) return;
  throw UsageError(fmt::format("[{}] expected a positive size, got {} x {}", who, size.h, size.w));
}

void check_fits(const char* who, Size2 size, const ImageSpec& image) {
  if (image.h >= size.h && image.w >= size.w) return;
  throw DataError(fmt::format("[{}] expected an image of at least {} x {}, got {} x {}", who, size.h, size.w,
                              image.h, image.w));
}

TransformPtr center_crop(Size2 size, const ImageSpec& image) {
  check_fits("CenterCrop", size, image);
  return std::make_shared<CropTransform>((image.h - size.h) / 2, (image.w - size.w) / 2, size.h, size.w);
}

}  // namespace

RandomCrop::RandomCrop(Size2 crop_shape) : crop_shape_(crop_shape) {
  check_positive("RandomCrop", crop_shape);
}

TransformPtr RandomCrop::get_transform(const ImageSpec& image, Rng& rng) const {
  const auto [h, w] = crop_shape_;
  check_fits("RandomCrop", crop_shape_, image);
  const int64_t y0 = internal::draw_integer(0, image.h - h + 1, rng);
  const int64_t x0 = internal::draw_integer(0, image.w - w + 1, rng);
  return std::make_shared<CropTransform>(y0, x0, h, w);
}

CenterCrop::CenterCrop(Size2 crop_shape) : crop_shape_(crop_shape) {
  check_positive("CenterCrop", crop_shape);
}

TransformPtr CenterCrop::get_transform(const ImageSpec& image, Rng&) const {
  return center_crop(crop_shape_, image);
}

RandomCropRandomShape::RandomCropRandomShape(RandomCropRandomShapeOptions options) : options_(options) {
  const auto& [wmin, hmin, wmax, hmax] = options_;
  check_positive("RandomCropRandomShape", {hmin, wmin});
  if ((wmax != 0 && wmax < wmin) || (hmax != 0 && hmax < hmin)) {
    throw UsageError(
        fmt::format("[RandomCropRandomShape] expected minimum <= maximum, got {} x {} and {} x {}", hmin,
                    wmin, hmax, wmax));
  }
}

TransformPtr RandomCropRandomShape::get_transform(const ImageSpec& image, Rng& rng) const {
  const Size2 largest(options_.hmax ? options_.hmax : image.h, options_.wmax ? options_.wmax : image.w);
  check_fits("RandomCropRandomShape", largest, image);
  check_fits("RandomCropRandomShape", {options_.hmin, options_.wmin}, image);
  const int64_t h = internal::draw_integer(options_.hmin, largest.h + 1, rng);
  const int64_t w = internal::draw_integer(options_.wmin, largest.w + 1, rng);
  const int64_t y0 = internal::draw_integer(0, image.h - h + 1, rng);
  const int64_t x0 = internal::draw_integer(0, image.w - w + 1, rng);
  return std::make_shared<CropTransform>(y0, x0, h, w);
}

GoogleNetRandomCropAndResize::GoogleNetRandomCropAndResize(GoogleNetRandomCropAndResizeOptions options)
    : options_(options) {
  constexpr const char* kWho = "GoogleNetRandomCropAndResize";
  check_positive(kWho, options_.target_shape);
  internal::check_range(kWho, "crop_area_fraction", options_.crop_area_fraction);
  internal::check_range(kWho, "aspect_ratio_range", options_.aspect_ratio_range);
  if (options_.crop_area_fraction.low <= 0 || options_.aspect_ratio_range.low <= 0) {
    throw UsageError(fmt::format("[{}] expected positive areas and aspect ratios, got {} and {}", kWho,
                                 options_.crop_area_fraction.low, options_.aspect_ratio_range.low));
  }
}

TransformPtr GoogleNetRandomCropAndResize::get_transform(const ImageSpec& image, Rng& rng) const {
  const int64_t target = options_.target_shape;
  for (int i = 0; i < 10; ++i) {
    const auto& [least, most] = options_.crop_area_fraction;
    const auto& [narrow, wide] = options_.aspect_ratio_range;
    const double area = (least + (most - least) * rng.uniform()) * static_cast<double>(image.h * image.w);
    const double ratio = narrow + (wide - narrow) * rng.uniform();
    int64_t w = std::lround(std::sqrt(area * ratio));
    int64_t h = std::lround(std::sqrt(area / ratio));
    if (internal::draw_bool(0.5, rng)) std::swap(w, h);
    if (h > image.h || w > image.w || h == 0 || w == 0) continue;
    const int64_t x0 = internal::draw_integer(0, image.w - w + 1, rng);
    const int64_t y0 = internal::draw_integer(0, image.h - h + 1, rng);
    return std::make_shared<TransformList>(
        std::vector<TransformPtr>{std::make_shared<CropTransform>(y0, x0, h, w),
                                  std::make_shared<ResizeTransform>(h, w, target, target, options_.interp)});
  }
  TransformPtr resize = ResizeShortestEdge(target, options_.interp).get_transform(image, rng);
  TransformPtr crop = center_crop(target, resize->output_spec(image));
  return std::make_shared<TransformList>(std::vector{std::move(resize), std::move(crop)});
}

RandomCutout::RandomCutout(RandomCutoutOptions options) : options_(options) {
  check_positive("RandomCutout", {options_.h_low, options_.w_low});
  internal::check_range("RandomCutout", "heights", {double(options_.h_low), double(options_.h_high)});
  internal::check_range("RandomCutout", "widths", {double(options_.w_low), double(options_.w_high)});
}

TransformPtr RandomCutout::get_transform(const ImageSpec& image, Rng& rng) const {
  const auto& [h_low, h_high, w_low, w_high, fill] = options_;
  const int64_t h = h_low == h_high ? h_low : internal::draw_integer(h_low, h_high, rng);
  const int64_t w = w_low == w_high ? w_low : internal::draw_integer(w_low, w_high, rng);
  check_fits("RandomCutout", {h, w}, image);
  const int64_t x0 = internal::draw_integer(0, image.w - w + 1, rng);
  const int64_t y0 = internal::draw_integer(0, image.h - h + 1, rng);
  return std::make_shared<PhotometricTransform>(
      fmt::format("Cutout(y0={}, x0={}, h={}, w={}, fill={})", y0, x0, h, w, fill),
      [=, fill = fill](const at::Tensor& full) {
        const CropTransform part(y0, x0, h, w);
        at::Tensor result = full.clone(at::MemoryFormat::Contiguous);
        part.apply_image(result).fill_(fill);
        return result;
      });
}

}  // namespace belfry::imgaug
