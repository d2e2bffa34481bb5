#pragma once

#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/graph/tensor.h"

namespace belfry {

// What a model asks to be shown. Each function adds nodes to collections of the default graph; the callbacks
// MergeAllSummaries and MovingAverageSummary fetch them and hand the values to the monitors. Called in a
// tower other than the main training tower, all of them do nothing unless told otherwise: inference and
// further replicas stay lean.
//
// A tag is the name given, below the current name scope, without "towerN/".

struct SummaryOptions {
  /// Where the summaries are listed; a MergeAllSummaries of another collection shows them at times of its
  /// own.
  std::vector<std::string> collections = {kSummaries};
  /// False: in every tower that the function is called in. Towers but the main one leave nothing in
  /// kSummaries, so name another collection; and tags of two towers are the same unless they have names of
  /// their own.
  bool main_tower_only = true;
};

/// Shows a scalar (no dimensions, any real dtype) at the end of each epoch.
/// Throws UsageError for any other shape.
void scalar_summary(const std::string& name, const Tensor& value, const SummaryOptions& options = {});

/// Shows the distribution of the elements of a tensor of any shape.
void histogram_summary(const std::string& name, const Tensor& values, const SummaryOptions& options = {});

struct ImageSummaryOptions : SummaryOptions {
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
                        const std::string& name = "", const SummaryOptions& options = {});

/// add_tensor_summary under "activation-summary/", for the outputs of layers. Scalars and vectors are passed
/// over with a warning.
void add_activation_summary(const Tensor& activation,
                            const std::vector<std::string>& types = {"sparsity", "rms", "histogram"},
                            const std::string& name = "", const SummaryOptions& options = {});

/// For each trainable variable created so far whose whole name matches a regular expression (ECMAScript):
/// add_tensor_summary with the types that stand beside it, under "param-summary/".
///
///     add_param_summary({{".*/W", {"histogram", "rms"}}, {".*/gamma", {"mean"}}});
void add_param_summary(const std::vector<std::pair<std::string, std::vector<std::string>>>& summaries,
                       const SummaryOptions& options = {});

struct MovingSummaryOptions {
  /// How much of the old average one step keeps.
  double decay = 0.95;
  /// Whose MovingAverageSummary keeps and shows the averages; "": nobody's, so that only what fetches the
  /// tensors that are returned does.
  std::string collection = kMovingSummaries;
  /// Where scalar summaries of the averages are listed besides.
  std::vector<std::string> summary_collections = {};
};

/// Shows the moving averages of scalars, tagged with their names. After t values x_1 .. x_t of decay d the
/// average is (1 - d) * sum(d^(t-i) x_i) / (1 - d^t): TensorFlow's zero-debiased moving average. It is kept
/// in variables "EMA/<name>", "EMA/<name>/biased" and "EMA/<name>/local_step" of kLocalVariables, which
/// checkpoints do not hold; a new run starts anew.
///
/// Returns the averages after the step's values: what fetches one updates it. None outside of the main
/// training tower. Throws UsageError for a tensor with dimensions. Under a variable scope that reuses it only
/// warns.
std::vector<Tensor> add_moving_summary(const std::vector<Tensor>& scalars,
                                       const MovingSummaryOptions& options = {});

}  // namespace belfry
