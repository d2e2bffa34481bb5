#pragma once

#include <map>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

/// Variables that optimizers train.
inline constexpr char kTrainableVariables[] = "trainable_variables";
/// Variables that a checkpoint holds.
inline constexpr char kGlobalVariables[] = "variables";
/// Variables that are not saved.
inline constexpr char kLocalVariables[] = "local_variables";
/// Variables that inference needs.
inline constexpr char kModelVariables[] = "model_variables";
/// Operations to run with every training step: the moving averages of BatchNorm.
inline constexpr char kUpdateOps[] = "update_ops";
/// Scalar losses that `regularize_cost_from_collection` sums.
inline constexpr char kRegularizationLosses[] = "regularization_losses";
/// Tensors whose moving average is shown while training (add_moving_summary).
inline constexpr char kMovingSummaries[] = "moving_summaries";
/// Nodes made by scalar_summary, histogram_summary and image_summary.
inline constexpr char kSummaries[] = "summaries";

/// Remembers how long each collection of a graph is, to tell what a tower added, or to undo it.
class CollectionGuard {
 public:
  explicit CollectionGuard(Graph& graph);
  /// Members added to `key` since the guard was made.
  std::vector<Tensor> added(const std::string& key) const;
  /// Drops what was added to `keys` since.
  void restore(const std::vector<std::string>& keys);

 private:
  Graph* graph_;
  std::map<std::string, size_t> sizes_;
};

}  // namespace belfry
