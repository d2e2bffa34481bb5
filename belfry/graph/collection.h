#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

class Graph;

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

/// Members of collections of a graph, by key.
using CollectionBackup = std::map<std::string, std::vector<Tensor>>;

/// What the collections `keys` of the default graph hold now; without keys, all of them.
CollectionBackup backup_collection(const std::optional<std::vector<std::string>>& keys = {});
/// Makes each collection of `backup`, in the default graph, hold what it held then.
void restore_collection(const CollectionBackup& backup);

/// Restores the collections `keys` of the default graph when the guard ends.
class FreezeCollection {
 public:
  explicit FreezeCollection(const std::vector<std::string>& keys);
  ~FreezeCollection();
  FreezeCollection(const FreezeCollection&) = delete;
  FreezeCollection& operator=(const FreezeCollection&) = delete;

 private:
  Graph* graph_;
  CollectionBackup backup_;
};

/// Remembers what each collection of a graph holds, to tell what a tower added. When the guard ends it logs
/// the report, unless an exception ends it, and restores the frozen collections.
class CollectionGuard {
 public:
  struct Options {
    /// Of the tower, for the log.
    std::string name = {};
    /// Logs which collections are new, and which have grown, at the end.
    bool check_diff = false;
    /// Collections to restore at the end.
    std::vector<std::string> freeze_keys = {};
    /// Collections whose changes are not logged.
    std::vector<std::string> diff_whitelist = {kTrainableVariables, kGlobalVariables, kLocalVariables};
  };

  explicit CollectionGuard(Graph& graph);
  CollectionGuard(Graph& graph, Options options);
  ~CollectionGuard();
  CollectionGuard(const CollectionGuard&) = delete;
  CollectionGuard& operator=(const CollectionGuard&) = delete;

  /// Members added to `key` since the guard was made.
  std::vector<Tensor> added(const std::string& key) const;
  /// Makes `keys` hold what they held when the guard was made.
  void restore(const std::vector<std::string>& keys);
  /// What the log is told at the end, a line for each kind of change: new collections and other sizes, where
  /// check_diff is set and the whitelist does not name them, and frozen collections that were added to.
  std::vector<std::string> report() const;

 private:
  Graph* graph_;
  Options options_;
  CollectionBackup original_;
  int exceptions_;  ///< on their way when the guard was made
};

}  // namespace belfry
