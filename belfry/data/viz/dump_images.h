#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "belfry/data/images/image_spec.h"
#include "belfry/dataflow/dataflow.h"

namespace belfry::viz {

struct DumpImagesOptions {
  /// Which component has the images.
  int64_t index = 0;
  /// Whether it holds batches, [N, H, W] or [N, H, W, C], or single images.
  bool batched = true;
  /// How many images are written, at most.
  int64_t number = 1000;
  /// What values are multiplied with to be in [0, 255].
  double scale = 1;
  /// Resize to this size, with linear interpolation.
  std::optional<imgaug::Size2> resize = {};
  /// Whether the images are BGR.
  bool bgr = false;
};

/// Writes the images of one pass of a dataflow, as they come, to `folder`, which is made if missing:
/// 001.jpg, 002.jpg and so on. Returns how many there were. Throws DataError for what is no image of 1 or 3
/// channels, and when a file cannot be written.
int64_t dump_dataflow_images(const AnyDataFlow& flow, const std::string& folder,
                             const DumpImagesOptions& options = {});

}  // namespace belfry::viz
