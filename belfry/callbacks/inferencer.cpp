#include "belfry/callbacks/inferencer.h"

#include <ATen/ops/logical_and.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "belfry/base/error.h"

namespace belfry {
namespace {

double ratio(int64_t count, int64_t total) {
  return total == 0 ? 0 : static_cast<double>(count) / static_cast<double>(total);
}

/// "cross_entropy" of "cross_entropy:0"
std::string op_name(const std::string& tensor_name) {
  return tensor_name.substr(0, tensor_name.find(':'));
}

int64_t count_true(const at::Tensor& flags) {
  return flags.sum().item<int64_t>();
}

}  // namespace

ScalarStats::ScalarStats(std::vector<std::string> names, std::string prefix)
    : names_(std::move(names)), prefix_(std::move(prefix)) {}

ScalarStats::ScalarStats(std::string name, std::string prefix)
    : ScalarStats(std::vector<std::string>{std::move(name)}, std::move(prefix)) {}

void ScalarStats::before_inference() {
  sums_.assign(names_.size(), 0);
  count_ = 0;
}

void ScalarStats::on_fetches(const std::vector<at::Tensor>& values, int64_t batch_size) {
  for (size_t i = 0; i < names_.size(); ++i) {
    if (values[i].numel() != 1) {
      throw UsageError(fmt::format("[ScalarStats] expected '{}' to be a scalar, got shape {}", names_[i],
                                   values[i].sizes()));
    }
    sums_[i] += values[i].item<double>() * static_cast<double>(batch_size);
  }
  count_ += batch_size;
}

std::map<std::string, double> ScalarStats::after_inference() {
  std::map<std::string, double> result;
  for (size_t i = 0; i < names_.size(); ++i) {
    const std::string tag = prefix_.empty() ? op_name(names_[i]) : prefix_ + "_" + op_name(names_[i]);
    result[tag] = sums_[i] / static_cast<double>(count_);
  }
  return result;
}

ClassificationError::ClassificationError(std::string wrong_tensor_name, std::string summary_name)
    : wrong_tensor_name_(std::move(wrong_tensor_name)), summary_name_(std::move(summary_name)) {}

void ClassificationError::before_inference() {
  wrong_ = 0;
  total_ = 0;
}

void ClassificationError::on_fetches(const std::vector<at::Tensor>& values, int64_t) {
  const at::Tensor& wrong = values[0];
  if (wrong.dim() != 1) {
    throw UsageError(fmt::format("[ClassificationError] expected '{}' to be a vector, got shape {}",
                                 wrong_tensor_name_, wrong.sizes()));
  }
  wrong_ += wrong.sum(at::kDouble).item<double>();
  total_ += wrong.size(0);
}

std::map<std::string, double> ClassificationError::after_inference() {
  return {{summary_name_, total_ == 0 ? 0 : wrong_ / static_cast<double>(total_)}};
}

BinaryClassificationStats::BinaryClassificationStats(std::string pred_tensor_name,
                                                     std::string label_tensor_name, std::string prefix)
    : pred_tensor_name_(std::move(pred_tensor_name)),
      label_tensor_name_(std::move(label_tensor_name)),
      prefix_(std::move(prefix)) {}

void BinaryClassificationStats::before_inference() {
  positive_ = predicted_positive_ = true_positive_ = 0;
}

void BinaryClassificationStats::on_fetches(const std::vector<at::Tensor>& values, int64_t) {
  if (values[0].sizes() != values[1].sizes()) {
    throw UsageError(
        fmt::format("[BinaryClassificationStats] expected '{}' and '{}' of one shape, got {} and {}",
                    pred_tensor_name_, label_tensor_name_, values[0].sizes(), values[1].sizes()));
  }
  const at::Tensor predicted = values[0].eq(1), labelled = values[1].eq(1);
  positive_ += count_true(labelled);
  predicted_positive_ += count_true(predicted);
  true_positive_ += count_true(at::logical_and(predicted, labelled));
}

std::map<std::string, double> BinaryClassificationStats::after_inference() {
  return {{prefix_ + "_precision", ratio(true_positive_, predicted_positive_)},
          {prefix_ + "_recall", ratio(true_positive_, positive_)}};
}

}  // namespace belfry
