#pragma once

#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/graph/tensor.h"

namespace belfry {

// What a model asks to be shown. Each function adds nodes to a collection of the default graph; the callbacks
// MergeAllSummaries and MovingAverageSummary fetch them and hand the values to the monitors. Called in a
// tower other than the main training tower, all of them do nothing: inference and further replicas stay lean.
//
// A tag is the name given, below the current name scope, without "towerN/".

/// Shows a scalar (no dimensions, any real dtype) at the end of each epoch.
/// Throws UsageError for any other shape.
void scalar_summary(const std::string& name, const Tensor& value);

/// Shows the distribution of the elements of a tensor of any shape.
void histogram_summary(const std::string& name, const Tensor& values);

struct ImageSummaryOptions {
  /// At most so many images of a batch are shown.
  int64_t max_images = 3;
};

/// Shows images [N, H, W, C] with 1, 3 or 4 channels. uint8 pixels are shown as they are. Others are scaled
/// image by image: without negative values the largest becomes 255; with them zero becomes 128 and the
/// largest magnitude 1 or 255. Pixels that are not finite are black.
void image_summary(const std::string& name, const Tensor& images, ImageSummaryOptions options = {});

/// Shows a tensor in several ways at once. `types` may hold "scalar" (tag: `name`), "histogram", "sparsity"
/// (share of zeros), "mean" and "rms" (tags `name`-histogram and so on). `name` is the tensor's unless given.
/// Throws UsageError for another type.
void add_tensor_summary(const Tensor& tensor, const std::vector<std::string>& types,
                        const std::string& name = "");

/// For each trainable variable created so far whose whole name matches a regular expression (ECMAScript):
/// add_tensor_summary with the types that stand beside it, under "param-summary/".
///
///     add_param_summary({{".*/W", {"histogram", "rms"}}, {".*/gamma", {"mean"}}});
void add_param_summary(const std::vector<std::pair<std::string, std::vector<std::string>>>& summaries);

struct MovingSummaryOptions {
  /// How much of the old average one step keeps.
  double decay = 0.95;
  std::string collection = kMovingSummaries;
};

/// Shows the moving average of scalars, tagged with their names. MovingAverageSummary keeps the averages.
/// Throws UsageError for a tensor with dimensions. Under a variable scope that reuses it only warns.
void add_moving_summary(const std::vector<Tensor>& scalars, const MovingSummaryOptions& options = {});

}  // namespace belfry
