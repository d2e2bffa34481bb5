#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/loop/callback.h"

namespace belfry {

/// What to compute from the tensors of an inference tower over a whole dataset. It is a callback of the
/// InferenceRunner that holds it: setup_graph (the tower is built by then), before_train and after_train are
/// called as a trainer's callbacks have them, and trainer() is there from setup_graph on; its other hooks of
/// steps and epochs are not called. Each time the runner is triggered, and always from the training thread:
///
///     before_inference
///       on_fetches          for each batch, in the order of the data
///     after_inference       its scalars go to the monitors
class Inferencer : public Callback {
 public:
  std::string name() const override { return "Inferencer"; }

  /// Names of the tensors it needs, as in the tower function: "cross_entropy". Must not change after
  /// setup_graph.
  virtual std::vector<std::string> get_fetches() const = 0;
  /// Forgets what the last round has counted.
  virtual void before_inference() {}
  /// `values` are those of get_fetches, in its order, for a batch of `batch_size` samples, as the runner
  /// counts them (InferenceRunner); 1 where it cannot.
  virtual void on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) = 0;
  /// The scalars of the round by tag. Called after at least one batch.
  virtual std::map<std::string, double> after_inference() = 0;
};

/// `{ScalarStats("cross_entropy"), ClassificationError("error")}`
using Inferencers = std::vector<Shared<Inferencer>>;

/// The mean of scalar tensors over the dataset, tagged "validation_cross_entropy".
///
/// Each batch counts by its number of samples: for a tensor that is a mean over the batch the result is exact
/// whatever the sizes of the batches are. (tensorpack counts a smaller last batch as much as a full one.)
class ScalarStats : public Inferencer {
 public:
  /// `prefix` "" gives the tag "cross_entropy".
  explicit ScalarStats(std::vector<std::string> names, std::string prefix = "validation");
  explicit ScalarStats(std::initializer_list<std::string> names, std::string prefix = "validation");
  explicit ScalarStats(std::string name, std::string prefix = "validation");

  std::vector<std::string> get_fetches() const override { return names_; }
  void before_inference() override;
  /// Throws UsageError for a tensor of more than one element.
  void on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) override;
  std::map<std::string, double> after_inference() override;

 private:
  std::vector<std::string> names_;
  std::string prefix_;
  std::vector<double> sums_;
  int64_t count_ = 0;
};

/// The share of samples that are wrong, counted over the dataset sample by sample. Given a tensor that marks
/// the right ones it is the accuracy.
class ClassificationError : public Inferencer {
 public:
  /// `wrong_tensor_name`: a tensor [N] of 0 and 1, one for each sample.
  explicit ClassificationError(std::string wrong_tensor_name = "incorrect_vector",
                               std::string summary_name = "validation_error");

  std::vector<std::string> get_fetches() const override { return {wrong_tensor_name_}; }
  void before_inference() override;
  /// Throws UsageError when the tensor is no vector.
  void on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) override;
  std::map<std::string, double> after_inference() override;

 private:
  std::string wrong_tensor_name_, summary_name_;
  double wrong_ = 0;
  int64_t total_ = 0;
};

/// Precision and recall of a binary classification over the dataset, tagged "val_precision" and "val_recall".
/// Without any positive prediction the precision is 0, without any positive label the recall.
class BinaryClassificationStats : public Inferencer {
 public:
  /// Two tensors of the same shape that hold 0 or 1.
  BinaryClassificationStats(std::string pred_tensor_name, std::string label_tensor_name,
                            std::string prefix = "val");

  std::vector<std::string> get_fetches() const override { return {pred_tensor_name_, label_tensor_name_}; }
  void before_inference() override;
  /// Throws UsageError when the shapes differ.
  void on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) override;
  std::map<std::string, double> after_inference() override;

 private:
  std::string pred_tensor_name_, label_tensor_name_, prefix_;
  int64_t positive_ = 0, predicted_positive_ = 0, true_positive_ = 0;
};

}  // namespace belfry
