#include "belfry/ops/detection.h"

#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/array.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"

// Boxes [..., 4] are corners x1, y1, x2, y2 in pixels, as tensorpack's Faster R-CNN has them, except where
// TensorFlow's operators want others. Sources: TensorFlow's tf.image.crop_and_resize and
// non_max_suppression; Ren and others, "Faster R-CNN" (2015), for the encoding.

namespace belfry {
namespace {

Attribute optional(const std::optional<double>& value) {
  return value ? Attribute(*value) : Attribute();
}

void check_boxes(const char* who, const Tensor& boxes) {
  if (!boxes.defined() || boxes.rank() < 1 || (boxes.dim(-1) != 4 && boxes.dim(-1) != kDynamic)) {
    throw UsageError(
        fmt::format("[{}] expected boxes [..., 4], got {}", who, boxes.defined() ? describe(boxes) : "none"));
  }
}

/// The halves [..., 2] of boxes: corners, or centres and sizes.
struct Halves {
  Tensor first, second;
};
Halves halves_of(const Tensor& boxes) {
  const auto both = split(boxes, 2, -1);
  return {both[0], both[1]};
}
/// Centres and sizes of boxes of two corners.
Halves centres_of(const Tensor& boxes) {
  const auto [low, high] = halves_of(boxes);
  return {(low + high) * 0.5, high - low};
}

/// Height and width of [N, H, W, C] less 1, as two scalars that broadcast.
Halves steps_between_corners(const Tensor& image) {
  if (image.dim(1) != kDynamic && image.dim(2) != kDynamic) {
    return {constant(static_cast<double>(image.dim(1) - 1), image.dtype()),
            constant(static_cast<double>(image.dim(2) - 1), image.dtype())};
  }
  const Tensor sizes = cast(shape(image), image.dtype()) - 1;
  return {select(sizes, 1), select(sizes, 2)};
}

/// Boxes in pixels as crop_and_resize takes them, so that it samples the middles of `size` parts.
Tensor as_corner_samples(const Tensor& boxes, const Tensor& image, const Size2D& size) {
  const auto [rows, columns] = steps_between_corners(image);
  const auto corners = split(boxes, 4, 1);
  const auto along = [](const Tensor& low, const Tensor& high, int64_t count, const Tensor& steps) {
    const Tensor spacing = (high - low) / static_cast<double>(count);
    const Tensor first = (low + spacing / 2 - 0.5) / steps;
    return Halves{first, first + spacing * static_cast<double>(count - 1) / steps};
  };
  const Halves x = along(corners[0], corners[2], size.width, columns);
  const Halves y = along(corners[1], corners[3], size.height, rows);
  return concat({y.first, x.first, y.second, x.second}, 1);
}

}  // namespace

Tensor non_max_suppression(const Tensor& boxes, const Tensor& scores, int64_t max_output_size,
                           const NonMaxSuppressionAttributes& attributes, const std::string& name) {
  return call("belfry::non_max_suppression", {boxes, scores, attributes.classes},
              {{"max_output_size", max_output_size},
               {"iou_threshold", attributes.iou_threshold},
               {"score_threshold", optional(attributes.score_threshold)}},
              name);
}

CombinedNonMaxSuppression combined_non_max_suppression(const Tensor& boxes, const Tensor& scores,
                                                       int64_t max_output_size_per_class,
                                                       int64_t max_total_size,
                                                       const CombinedNonMaxSuppressionAttributes& attributes,
                                                       const std::string& name) {
  const auto results = call_multi("belfry::combined_non_max_suppression", {boxes, scores},
                                  {{"max_output_size_per_class", max_output_size_per_class},
                                   {"max_total_size", max_total_size},
                                   {"iou_threshold", attributes.iou_threshold},
                                   {"score_threshold", optional(attributes.score_threshold)},
                                   {"pad_per_class", attributes.pad_per_class},
                                   {"clip_boxes", attributes.clip_boxes}},
                                  name);
  return {results[0], results[1], results[2], results[3]};
}

Tensor crop_and_resize(const Tensor& image, const Tensor& boxes, const Tensor& box_indices, Size2D size,
                       const CropAndResizeAttributes& attributes, const std::string& name) {
  if (attributes.method != ResizeMethod::kBilinear && attributes.method != ResizeMethod::kNearest)
    throw UsageError("[crop_and_resize] expected the method kBilinear or kNearest, got another");
  return call("belfry::crop_and_resize", {image, boxes, box_indices},
              {{"size", std::vector<int64_t>{size.height, size.width}},
               {"method", attributes.method == ResizeMethod::kBilinear ? "bilinear" : "nearest"},
               {"extrapolation_value", attributes.extrapolation_value}},
              name);
}

Tensor roi_align(const Tensor& features, const Tensor& boxes, const Tensor& box_indices, Size2D resolution,
                 const RoiAlignAttributes& attributes, const std::string& name) {
  check_boxes("roi_align", boxes);
  const bool nchw = attributes.data_format == "NCHW";
  if (features.rank() != 4 || (!nchw && attributes.data_format != "NHWC")) {
    throw UsageError(fmt::format("[roi_align] expected 4-D features in NHWC or NCHW, got {} in {}",
                                 describe(features), attributes.data_format));
  }
  const NameScope scope(name.empty() ? "roi_align" : name);
  Tensor image = nchw ? transpose(features, {0, 2, 3, 1}) : features;
  Tensor pixels = stop_gradient(boxes);
  if (attributes.pad_border) {
    image = pad(image, {{0, 0}, {1, 1}, {1, 1}, {0, 0}}, {.mode = PadMode::kSymmetric});
    pixels = pixels + 1;
  }
  const Size2D samples(resolution.height * 2, resolution.width * 2);
  const Tensor sampled =
      crop_and_resize(image, as_corner_samples(pixels, image, samples), box_indices, samples);
  const Tensor y = avg_pool2d(sampled, {.pool = 2}, "output");
  return nchw ? transpose(y, {0, 3, 1, 2}) : y;
}

Tensor encode_bbox_target(const Tensor& boxes, const Tensor& anchors, const std::string& name) {
  check_boxes("encode_bbox_target", boxes);
  check_boxes("encode_bbox_target", anchors);
  const NameScope scope(name.empty() ? "encode_bbox_target" : name);
  const Halves box = centres_of(boxes), anchor = centres_of(anchors);
  return concat({(box.first - anchor.first) / anchor.second, log(box.second / anchor.second)}, -1, "output");
}

Tensor decode_bbox_target(const Tensor& predictions, const Tensor& anchors,
                          const DecodeBoxAttributes& attributes, const std::string& name) {
  check_boxes("decode_bbox_target", predictions);
  check_boxes("decode_bbox_target", anchors);
  if (!(attributes.max_size > 0)) {
    throw UsageError(
        fmt::format("[decode_bbox_target] expected a positive max_size, got {}", attributes.max_size));
  }
  const NameScope scope(name.empty() ? "decode_bbox_target" : name);
  const Halves given = halves_of(predictions), anchor = centres_of(anchors);
  const Tensor size = exp(minimum(given.second, std::log(attributes.max_size / 16))) * anchor.second;
  const Tensor centre = given.first * anchor.second + anchor.first;
  return concat({centre - size * 0.5, centre + size * 0.5}, -1, "output");
}

Tensor clip_boxes(const Tensor& boxes, const Tensor& window, const std::string& name) {
  check_boxes("clip_boxes", boxes);
  if (!window.defined() || window.rank() != 1 || (window.dim(0) != 2 && window.dim(0) != kDynamic)) {
    throw UsageError(fmt::format("[clip_boxes] expected a window of two numbers, height and width, got {}",
                                 window.defined() ? describe(window) : "none"));
  }
  const NameScope scope(name.empty() ? "clip_boxes" : name);
  const Tensor limits = tile(reverse(cast(window, boxes.dtype()), {0}), {2});
  return minimum(maximum(boxes, 0.0), limits, "output");
}

Tensor pairwise_iou(const Tensor& a, const Tensor& b, const std::string& name) {
  check_boxes("pairwise_iou", a);
  check_boxes("pairwise_iou", b);
  const NameScope scope(name.empty() ? "pairwise_iou" : name);
  const auto area_of = [](const Tensor& sizes) { return select(sizes, 0, -1) * select(sizes, 1, -1); };
  const Halves first = halves_of(expand_dims(a, 1)), second = halves_of(expand_dims(b, 0));
  const Tensor common =
      area_of(maximum(minimum(first.second, second.second) - maximum(first.first, second.first), 0.0));
  const Tensor both = area_of(first.second - first.first) + area_of(second.second - second.first) - common;
  return where(equal(common, 0.0), 0.0, common / both, "output");
}

}  // namespace belfry
