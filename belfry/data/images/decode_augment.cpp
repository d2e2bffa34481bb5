#include "belfry/data/images/decode_augment.h"

#include <algorithm>
#include <vector>

#include "belfry/data/imgaug/internal/resample.h"

namespace belfry::imgaug {
namespace {

bool is_jpeg(ByteSpan bytes) {
  return bytes.size() > 2 && bytes[0] == std::byte{0xFF} && bytes[1] == std::byte{0xD8} &&
         bytes[2] == std::byte{0xFF};
}

// What the crops and at most one resize at the beginning of a list do together: a part of the picture becomes
// h x w pixels.
struct Beginning {
  internal::Stretch y, x;
  int64_t h, w;
  // The pixels that the resize may use: what the crops before it left.
  PixelRect source;
  const ResizeTransform* resize = nullptr;
  // How many transforms these are.
  size_t count = 0;
};

bool is_inside(const CropTransform& crop, int64_t h, int64_t w) {
  return crop.y0 >= 0 && crop.x0 >= 0 && crop.h > 0 && crop.w > 0 && crop.y0 + crop.h <= h &&
         crop.x0 + crop.w <= w;
}

void cut(internal::Stretch& stretch, int64_t begin, int64_t size, int64_t of) {
  const double step = stretch.size / static_cast<double>(of);
  stretch = {stretch.begin + static_cast<double>(begin) * step, static_cast<double>(size) * step};
}

bool can_take(const Beginning& so_far, const ResizeTransform& resize) {
  const bool is_shrinking = resize.new_h <= resize.h && resize.new_w <= resize.w;
  return !so_far.resize && resize.h == so_far.h && resize.w == so_far.w &&
         internal::can_resample(resize.interpolation) &&
         (resize.interpolation != Interpolation::kArea || is_shrinking);
}

// Stops at a transform that does not fit, which then says so itself.
Beginning find_beginning(const std::vector<TransformPtr>& transforms, const ImageSpec& picture) {
  Beginning found{.y = {0, static_cast<double>(picture.h)},
                  .x = {0, static_cast<double>(picture.w)},
                  .h = picture.h,
                  .w = picture.w,
                  .source = {0, 0, picture.h, picture.w}};
  for (const TransformPtr& transform : transforms) {
    if (auto* crop = dynamic_cast<const CropTransform*>(transform.get())) {
      if (!is_inside(*crop, found.h, found.w)) break;
      cut(found.y, crop->y0, crop->h, found.h);
      cut(found.x, crop->x0, crop->w, found.w);
      found.h = crop->h, found.w = crop->w;
      if (!found.resize) {
        found.source = {found.source.y + crop->y0, found.source.x + crop->x0, crop->h, crop->w};
      }
    } else if (auto* resize = dynamic_cast<const ResizeTransform*>(transform.get());
               resize && can_take(found, *resize)) {
      found.resize = resize;
      found.h = resize->new_h, found.w = resize->new_w;
    } else {
      break;
    }
    ++found.count;
  }
  return found;
}

// The smallest size that still has a pixel for each that is made. The sizes between take libjpeg-turbo more
// time than the whole.
int64_t choose_scale(const Beginning& beginning) {
  const double step = std::min(beginning.y.size / static_cast<double>(beginning.h),
                               beginning.x.size / static_cast<double>(beginning.w));
  for (int64_t scale : {1, 2, 4}) {
    if (step * static_cast<double>(scale) / 8 >= 1) return scale;
  }
  return 8;
}

internal::Stretch scale_stretch(internal::Stretch full, int64_t scale) {
  return {full.begin * static_cast<double>(scale) / 8, full.size * static_cast<double>(scale) / 8};
}

// The pixels of the scaled picture that a stretch needs, of those that hold a part of the source.
internal::PixelSpan scaled_span(internal::Stretch scaled, int64_t count, Interpolation interpolation,
                                internal::PixelSpan source, int64_t scale) {
  const internal::PixelSpan needed = internal::pixels_needed(scaled, count, interpolation);
  const internal::PixelSpan known{source.begin * scale / 8, (source.end * scale + 7) / 8};
  return {std::max(needed.begin, known.begin), std::min(needed.end, known.end)};
}

at::Tensor decode_resampled(ByteSpan bytes, const Beginning& beginning, JpegDecodeOptions options) {
  const Interpolation interpolation = beginning.resize->interpolation;
  const PixelRect& source = beginning.source;
  options.scale = choose_scale(beginning);
  internal::Stretch y = scale_stretch(beginning.y, options.scale),
                    x = scale_stretch(beginning.x, options.scale);
  const internal::PixelSpan rows =
      scaled_span(y, beginning.h, interpolation, {source.y, source.y + source.height}, options.scale);
  const internal::PixelSpan columns =
      scaled_span(x, beginning.w, interpolation, {source.x, source.x + source.width}, options.scale);
  options.region = {rows.begin, columns.begin, rows.end - rows.begin, columns.end - columns.begin};
  at::Tensor part = decode_jpeg(bytes, options);
  // Turned pictures are views with other strides.
  if (part.stride(2) != 1 || part.stride(1) != part.size(2)) part = part.contiguous();
  y.begin -= static_cast<double>(rows.begin);
  x.begin -= static_cast<double>(columns.begin);
  return internal::resample(part, y, x, beginning.h, beginning.w, interpolation);
}

at::Tensor decode_beginning(ByteSpan bytes, const Beginning& beginning, const DecodeOptions& options) {
  JpegDecodeOptions jpeg{.order = options.order,
                         .accept_damage = options.accept_damage,
                         .max_pixels = options.max_pixels,
                         .name = options.name};
  if (beginning.resize) return decode_resampled(bytes, beginning, jpeg);
  jpeg.region = beginning.source;
  return decode_jpeg(bytes, jpeg);
}

}  // namespace

at::Tensor decode_and_transform(ByteSpan bytes, const TransformPtr& transform,
                                const DecodeAugmentOptions& options) {
  if (options.exact || !is_jpeg(bytes)) return transform->apply_image(decode_image(bytes, options.decode));
  const TransformList list({transform});
  const std::vector<TransformPtr>& all = list.transforms();
  const Beginning beginning = find_beginning(all, read_image_spec(bytes, options.decode));
  at::Tensor image = decode_beginning(bytes, beginning, options.decode);
  const auto rest = all.begin() + static_cast<std::ptrdiff_t>(beginning.count);
  return rest == all.end() ? image : TransformList({rest, all.end()}).apply_image(image);
}

at::Tensor decode_and_augment(ByteSpan bytes, const ImageAugmentor& augmentor, Rng& rng,
                              const DecodeAugmentOptions& options) {
  const TransformPtr transform = augmentor.get_transform(read_image_spec(bytes, options.decode), rng);
  return decode_and_transform(bytes, transform, options).contiguous();
}

}  // namespace belfry::imgaug
