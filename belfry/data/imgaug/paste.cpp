#include "belfry/data/imgaug/paste.h"

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/draw.h"
#include "belfry/data/imgaug/internal/mat.h"

namespace belfry::imgaug {
namespace {

BackgroundFillerPtr filler_or_black(const char* who, Size2 size, BackgroundFillerPtr filler) {
  if (size.h <= 0 || size.w <= 0) {
    throw UsageError(fmt::format("[{}] expected a positive size, got {} x {}", who, size.h, size.w));
  }
  return filler ? std::move(filler) : std::make_shared<ConstantBackgroundFiller>(0);
}

void check_fits(const char* who, Size2 size, const ImageSpec& image) {
  if (image.h <= size.h && image.w <= size.w) return;
  throw DataError(fmt::format("[{}] expected an image of at most {} x {}, got {} x {}", who, size.h, size.w,
                              image.h, image.w));
}

}  // namespace

at::Tensor ConstantBackgroundFiller::fill(Size2 shape, const at::Tensor& image) const {
  return internal::empty_image(image, shape.h, shape.w).fill_(value_);
}

ImageSpec PasteTransform::output_spec(const ImageSpec& input) const {
  return {background_shape.h, background_shape.w, input.channels, input.dtype};
}

std::string PasteTransform::description() const {
  return fmt::format("PasteTransform(y0={}, x0={}, h={}, w={})", y0, x0, background_shape.h,
                     background_shape.w);
}

at::Tensor PasteTransform::transform_image(const at::Tensor& image) const {
  at::Tensor canvas = filler->fill(background_shape, image);
  CropTransform(y0, x0, image.size(0), image.size(1)).apply_image(canvas).copy_(image);
  return canvas;
}

at::Tensor PasteTransform::transform_coords(const at::Tensor& coords) const {
  return coords.add(at::tensor({x0, y0}, coords.options()));
}

CenterPaste::CenterPaste(Size2 background_shape, BackgroundFillerPtr background_filler)
    : background_shape_(background_shape),
      filler_(filler_or_black("CenterPaste", background_shape, std::move(background_filler))) {}

TransformPtr CenterPaste::get_transform(const ImageSpec& image, Rng&) const {
  const auto [h, w] = background_shape_;
  check_fits("CenterPaste", background_shape_, image);
  return std::make_shared<PasteTransform>((h - image.h) / 2, (w - image.w) / 2, background_shape_, filler_);
}

RandomPaste::RandomPaste(Size2 background_shape, BackgroundFillerPtr background_filler)
    : background_shape_(background_shape),
      filler_(filler_or_black("RandomPaste", background_shape, std::move(background_filler))) {}

TransformPtr RandomPaste::get_transform(const ImageSpec& image, Rng& rng) const {
  const auto [h, w] = background_shape_;
  check_fits("RandomPaste", background_shape_, image);
  const int64_t y0 = internal::draw_integer(0, h - image.h + 1, rng);
  const int64_t x0 = internal::draw_integer(0, w - image.w + 1, rng);
  return std::make_shared<PasteTransform>(y0, x0, background_shape_, filler_);
}

}  // namespace belfry::imgaug
