#include "belfry/data/imgaug/meta.h"

#include <fmt/format.h>

#include <cmath>

#include "belfry/base/error.h"
#include "belfry/data/imgaug/internal/draw.h"

namespace belfry::imgaug {
namespace {

class MapImageTransform final : public Transform {
 public:
  MapImageTransform(MapImage::Function function, MapImageOptions options)
      : function_(std::move(function)), options_(std::move(options)) {}
  ImageSpec output_spec(const ImageSpec& input) const override {
    return options_.output_spec ? options_.output_spec(input) : input;
  }
  std::string description() const override { return "MapImage()"; }

 protected:
  at::Tensor transform_image(const at::Tensor& image) const override { return function_(image); }
  at::Tensor transform_coords(const at::Tensor& coords) const override {
    return options_.coord_func ? options_.coord_func(coords) : coords;
  }

 private:
  MapImage::Function function_;
  MapImageOptions options_;
};

std::vector<std::pair<AnyAugmentor, double>> equally_likely(std::vector<AnyAugmentor> augmentors) {
  std::vector<std::pair<AnyAugmentor, double>> result;
  const double prob = 1 / static_cast<double>(augmentors.size());
  for (AnyAugmentor& augmentor : augmentors) result.emplace_back(std::move(augmentor), prob);
  return result;
}

}  // namespace

TransformPtr Identity::get_transform(const ImageSpec&, Rng&) const {
  return std::make_shared<NoOpTransform>();
}

RandomApplyAug::RandomApplyAug(AnyAugmentor augmentor, double prob)
    : augmentor_(std::move(augmentor)), prob_(prob) {
  internal::check_probability("RandomApplyAug", prob);
}

TransformPtr RandomApplyAug::get_transform(const ImageSpec& image, Rng& rng) const {
  if (!internal::draw_bool(prob_, rng)) return std::make_shared<NoOpTransform>();
  return augmentor_->get_transform(image, rng);
}

RandomChooseAug::RandomChooseAug(std::vector<AnyAugmentor> augmentors)
    : RandomChooseAug(equally_likely(std::move(augmentors))) {}

RandomChooseAug::RandomChooseAug(std::vector<std::pair<AnyAugmentor, double>> augmentors)
    : augmentors_(std::move(augmentors)) {
  if (augmentors_.empty()) throw UsageError("[RandomChooseAug] expected at least one augmentor, got none");
  double total = 0;
  for (const auto& [augmentor, prob] : augmentors_) {
    internal::check_probability("RandomChooseAug", prob);
    total += prob;
  }
  if (std::abs(total - 1) > 1e-6) {
    throw UsageError(fmt::format("[RandomChooseAug] expected probabilities that add up to 1, got {}", total));
  }
}

TransformPtr RandomChooseAug::get_transform(const ImageSpec& image, Rng& rng) const {
  double left = rng.uniform();
  size_t chosen = 0;
  while (chosen + 1 < augmentors_.size() && left >= augmentors_[chosen].second)
    left -= augmentors_[chosen++].second;
  return augmentors_[chosen].first->get_transform(image, rng);
}

TransformPtr RandomOrderAug::get_transform(const ImageSpec& image, Rng& rng) const {
  std::vector<TransformPtr> transforms;
  for (const AnyAugmentor& augmentor : augmentors_)
    transforms.push_back(augmentor->get_transform(image, rng));
  rng.shuffle(transforms);
  return std::make_shared<TransformList>(std::move(transforms));
}

MapImage::MapImage(Function function, MapImageOptions options) {
  if (!function) throw UsageError("[MapImage] expected a function, got an empty one");
  transform_ = std::make_shared<MapImageTransform>(std::move(function), std::move(options));
}

TransformPtr MapImage::get_transform(const ImageSpec&, Rng&) const {
  return transform_;
}

}  // namespace belfry::imgaug
