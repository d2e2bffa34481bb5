#pragma once

#include <ATen/ops/full.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "belfry/belfry.h"

namespace mnist_embeddings {
using namespace belfry;

/// The images [N, 28, 28] of each of ten labels.
inline std::vector<at::Tensor> get_digits_by_label(const at::Tensor& images, const at::Tensor& labels) {
  std::vector<at::Tensor> data_dict;
  for (int64_t label = 0; label < 10; ++label) {
    data_dict.push_back(images.index({labels == label}).reshape({-1, 28, 28}));
    if (data_dict.back().size(0) == 0)
      throw DataError(
          fmt::format("[get_digits_by_label] expected images of all digits, got none of {}", label));
  }
  return data_dict;
}

/// Random pairs of digits, and whether their labels are the same, int32: {image, image, 0 or 1}. Half of them
/// are; drawn from all pairs only a tenth would be. A pass has as many pairs as there are digits.
class MnistPairs : public DataFlow {
 public:
  /// `digits`: images of 28 x 28 pixels and labels below 10, some of each. Throws DataError where one is
  /// missing.
  explicit MnistPairs(const DataFromTensors& digits, uint64_t seed = 0)
      : size_(*digits.size()),
        seed_(seed),
        data_dict_(std::make_shared<const std::vector<at::Tensor>>(
            get_digits_by_label(digits.tensors()[0], digits.tensors()[1]))) {}

  DataIterator start_pass(int64_t pass) override {
    return DataIterator([data_dict = data_dict_, rng = Rng(seed_, static_cast<uint64_t>(pass)),
                         left = size_]() mutable -> std::optional<Datapoint> {
      if (left-- == 0) return std::nullopt;
      const int y = static_cast<int>(rng.below(2));
      auto [pick_label, pick_other] = two_labels(rng);
      if (y == 1) pick_other = pick_label;
      const at::Tensor image = pick(*data_dict, pick_label, rng), other = pick(*data_dict, pick_other, rng);
      return Datapoint{image, other, at::full({}, y, at::kInt)};
    });
  }
  std::optional<int64_t> size() const override { return size_; }

 protected:
  static std::pair<size_t, size_t> two_labels(Rng& rng) {
    const size_t first = rng.below(10), second = rng.below(9);
    return {first, second < first ? second : second + 1};
  }
  static at::Tensor pick(const std::vector<at::Tensor>& data_dict, size_t label, Rng& rng) {
    const at::Tensor& digits = data_dict[label];
    return digits[static_cast<int64_t>(rng.below(static_cast<uint64_t>(digits.size(0))))];
  }

  int64_t size_;
  uint64_t seed_;
  std::shared_ptr<const std::vector<at::Tensor>> data_dict_;
};

/// Random triplets of digits, of which the first two have the same label and the third another.
class MnistTriplets : public MnistPairs {
 public:
  using MnistPairs::MnistPairs;
  DataIterator start_pass(int64_t pass) override {
    return DataIterator([data_dict = data_dict_, rng = Rng(seed_, static_cast<uint64_t>(pass)),
                         left = size_]() mutable -> std::optional<Datapoint> {
      if (left-- == 0) return std::nullopt;
      const auto [label, other] = two_labels(rng);
      const at::Tensor anchor = pick(*data_dict, label, rng), positive = pick(*data_dict, label, rng);
      return Datapoint{anchor, positive, pick(*data_dict, other, rng)};
    });
  }
};

}  // namespace mnist_embeddings
