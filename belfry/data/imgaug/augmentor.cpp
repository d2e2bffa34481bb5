#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

at::Tensor ImageAugmentor::augment(const at::Tensor& image, Rng& rng) const {
  return get_transform(spec_of(image), rng)->apply_image(image).contiguous();
}

TransformPtr AugmentorList::get_transform(const ImageSpec& image, Rng& rng) const {
  ImageSpec spec = image;
  std::vector<TransformPtr> transforms;
  for (const AnyAugmentor& augmentor : augmentors_) {
    transforms.push_back(augmentor->get_transform(spec, rng));
    spec = transforms.back()->output_spec(spec);
  }
  return std::make_shared<TransformList>(std::move(transforms));
}

}  // namespace belfry::imgaug
