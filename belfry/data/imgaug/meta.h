#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

/// Does nothing.
class Identity final : public ImageAugmentor {
 public:
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;
};

/// Applies an augmentor with probability `prob`, else does nothing.
class RandomApplyAug final : public ImageAugmentor {
 public:
  /// Throws UsageError when `prob` is no probability.
  RandomApplyAug(AnyAugmentor augmentor, double prob);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  AnyAugmentor augmentor_;
  double prob_;
};

/// Applies one of its augmentors.
class RandomChooseAug final : public ImageAugmentor {
 public:
  /// All are equally likely. Throws UsageError when there is none.
  explicit RandomChooseAug(std::vector<AnyAugmentor> augmentors);
  /// Each with its own probability. Throws UsageError when there is none, or they do not add up to 1.
  explicit RandomChooseAug(std::vector<std::pair<AnyAugmentor, double>> augmentors);
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  std::vector<std::pair<AnyAugmentor, double>> augmentors_;
};

/// Applies all of its augmentors, in a random order. They must not change the size of the image: each draws
/// for the image as it is before the first.
class RandomOrderAug final : public ImageAugmentor {
 public:
  explicit RandomOrderAug(std::vector<AnyAugmentor> augmentors) : augmentors_(std::move(augmentors)) {}
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  std::vector<AnyAugmentor> augmentors_;
};

struct MapImageOptions {
  /// Where coordinates [N, 2] go; they are left as they are when empty.
  std::function<at::Tensor(const at::Tensor&)> coord_func = {};
  /// The spec of the function's result; the image's own when empty.
  PhotometricTransform::SpecFunction output_spec = {};
};

/// Applies a function of your own, which is called from any thread and must not write into its argument.
class MapImage final : public ImageAugmentor {
 public:
  using Function = std::function<at::Tensor(const at::Tensor&)>;

  /// Throws UsageError when `function` is empty.
  explicit MapImage(Function function, MapImageOptions options = {});
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  TransformPtr transform_;
};

}  // namespace belfry::imgaug
