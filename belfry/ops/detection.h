#pragma once

#include <optional>
#include <string>

#include "belfry/graph/tensor.h"
#include "belfry/ops/nn.h"

namespace belfry {

// Boxes of objects in images. What follows TensorFlow's operators has [y1, x1, y2, x2]; what follows
// tensorpack's FasterRCNN has [x1, y1, x2, y2] in pixels, where pixel i covers [i, i + 1].

struct NonMaxSuppressionAttributes {
  double iou_threshold = 0.5;                  ///< in [0, 1]: a box that overlaps more is dropped
  std::optional<double> score_threshold = {};  ///< boxes of this score or less are dropped; default: none
  /// Integers [N]: boxes of different classes do not drop each other. Default: all are of one.
  Tensor classes = {};
};
/// Indices (int64), by decreasing score, of at most `max_output_size` of the `boxes` [N, 4], of which none
/// overlaps one before it too much. Either corner of a box may come first; of equal scores the lower index
/// does.
Tensor non_max_suppression(const Tensor& boxes, const Tensor& scores, int64_t max_output_size,
                           const NonMaxSuppressionAttributes& attributes = {}, const std::string& name = "");

struct CombinedNonMaxSuppressionAttributes {
  double iou_threshold = 0.5;
  std::optional<double> score_threshold = {};
  /// Pads to max_output_size_per_class * classes boxes, where that is less than max_total_size.
  bool pad_per_class = false;
  bool clip_boxes = true;  ///< to [0, 1]
};
struct CombinedNonMaxSuppression {
  Tensor boxes;             ///< [B, M, 4]
  Tensor scores;            ///< [B, M]
  Tensor classes;           ///< [B, M], numbers of the dtype of the scores, as TensorFlow has them
  Tensor valid_detections;  ///< int32 [B]: how many of the M there are; zeros follow
};
/// non_max_suppression of each image and class of `boxes` [B, N, classes or 1, 4], `scores` [B, N, classes],
/// and the `max_total_size` best of each image.
CombinedNonMaxSuppression combined_non_max_suppression(
    const Tensor& boxes, const Tensor& scores, int64_t max_output_size_per_class, int64_t max_total_size,
    const CombinedNonMaxSuppressionAttributes& attributes = {}, const std::string& name = "");

struct CropAndResizeAttributes {
  ResizeMethod method = ResizeMethod::kBilinear;  ///< or kNearest
  double extrapolation_value = 0;                 ///< of what lies outside of the image
};
/// Parts of images [B, H, W, C]: `boxes` [K, 4], [y1, x1, y2, x2] where 0 and 1 are the centres of the first
/// and the last pixel, of the images `box_indices`, integers [K], sampled at `size` points from corner to
/// corner: [K, height, width, C]. A gradient flows to `image` alone. A run throws DataError for an index that
/// is no image.
Tensor crop_and_resize(const Tensor& image, const Tensor& boxes, const Tensor& box_indices, Size2D size,
                       const CropAndResizeAttributes& attributes = {}, const std::string& name = "");

struct RoiAlignAttributes {
  /// Repeats the border for samples outside of the image, which are zeros else.
  bool pad_border = true;
  std::string data_format = "NHWC";
};
/// Mean of 2 x 2 bilinear samples in each of `resolution` parts of each box, `boxes` [K, 4] as [x1, y1, x2,
/// y2] in pixels of `features`: [K, height, width, C], or [K, C, height, width] for NCHW.
Tensor roi_align(const Tensor& features, const Tensor& boxes, const Tensor& box_indices, Size2D resolution,
                 const RoiAlignAttributes& attributes = {}, const std::string& name = "");

/// `boxes` [..., 4], [x1, y1, x2, y2], as differences from `anchors` of the same shape: those of the centres
/// in sizes of the anchor, and the logarithms of how much larger they are.
Tensor encode_bbox_target(const Tensor& boxes, const Tensor& anchors, const std::string& name = "");
struct DecodeBoxAttributes {
  double max_size = 1333;  ///< no box becomes more than max_size / 16 times its anchor
};
/// The opposite.
Tensor decode_bbox_target(const Tensor& predictions, const Tensor& anchors,
                          const DecodeBoxAttributes& attributes = {}, const std::string& name = "");
/// `boxes` [N, 4], [x1, y1, x2, y2], within an image of `window`, a list of two numbers: height and width.
Tensor clip_boxes(const Tensor& boxes, const Tensor& window, const std::string& name = "");
/// The area common to each two boxes of `a` [N, 4] and `b` [M, 4], divided by that of both: [N, M]; 0 where
/// they are apart.
Tensor pairwise_iou(const Tensor& a, const Tensor& b, const std::string& name = "");

}  // namespace belfry
