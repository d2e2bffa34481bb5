#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace belfry::viz {

// Drawing on images: uint8 [H, W, 3] of RGB or BGR, colours in the same order, or gray [H, W] and [H, W, 1],
// of which the result has three equal channels. Results are new images. OpenCV draws, so that the pixels are
// those of tensorpack.

using Color = std::array<uint8_t, 3>;

struct DrawTextOptions {
  double font_scale = 0.4;
};

/// Writes `text` on a background of `color`, whose lower left corner is at (x, y), moved so that it is not
/// cut off at the right and at the top. Throws UsageError for what is no image.
at::Tensor draw_text(const at::Tensor& image, std::array<int64_t, 2> xy, const std::string& text, Color color,
                     const DrawTextOptions& options = {});

struct DrawBoxesOptions {
  /// One for each box, written at its upper left corner; or none.
  std::vector<std::string> labels = {};
  Color color = {15, 128, 15};
};

/// Draws boxes [N, 4], each x1, y1, x2, y2 in pixels (rounded towards 0), the greatest first. Throws
/// UsageError for other shapes, or another number of labels, and DataError for a box without area or outside
/// of the image.
at::Tensor draw_boxes(const at::Tensor& image, const at::Tensor& boxes, const DrawBoxesOptions& options = {});

}  // namespace belfry::viz
