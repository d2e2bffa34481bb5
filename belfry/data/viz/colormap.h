#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <vector>

namespace belfry::viz {

/// A heat map: colours of intensities, [H, W] in [0, 1], as RGB float32 [H, W, 3] in [0, 255]. Below 0 and
/// above 1 are the colours of 0 and 1; NaN is black.
///
/// `cmap` is "cubehelix", "jet", "hot" or "gray": matplotlib's colours of those names, in 256 steps.
/// `normalize` first moves the smallest to 0 and the greatest to 1.
///
/// Throws UsageError for another name or shape, or complex values.
at::Tensor intensity_to_rgb(const at::Tensor& intensity, const std::string& cmap = "cubehelix",
                            bool normalize = false);

/// 79 colours to tell things apart by: RGB, each in [0, 255], tensorpack's PALETTE_RGB.
const std::vector<std::array<float, 3>>& palette_rgb();

}  // namespace belfry::viz
