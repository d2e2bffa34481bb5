#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "belfry/base/rng.h"
#include "belfry/base/shared.h"
#include "belfry/data/imgaug/transform.h"

namespace belfry::imgaug {

/// A policy that draws transforms for images.
///
/// Augmentors have no state: they may be shared by any number of threads, and the same generator state gives
/// the same transform for an image of the same spec. An image that an augmentor has no transform for (smaller
/// than the crop) is a DataError.
///
/// To write one: derive, and draw in get_transform what your transform needs to know.
class ImageAugmentor {
 public:
  static constexpr const char* kExpected = "[AnyAugmentor] expected an augmentor";

  virtual ~ImageAugmentor() = default;

  /// Draws the transform for an image of spec `image`.
  virtual TransformPtr get_transform(const ImageSpec& image, Rng& rng) const = 0;

  /// Draws a transform for `image` and applies it. The result is contiguous, and may be `image` itself.
  at::Tensor augment(const at::Tensor& image, Rng& rng) const;

 protected:
  ImageAugmentor() = default;
  ImageAugmentor(const ImageAugmentor&) = default;
  ImageAugmentor& operator=(const ImageAugmentor&) = default;
};

/// Shares ownership of an augmentor of any class. Functions that take an augmentor take this: the argument
/// may be one of a concrete class (which is copied or moved) or a std::shared_ptr to any.
using AnyAugmentor = NotNull<const ImageAugmentor>;

/// Augmentors one after the other. Each draws for what those before it make of the image, which is known from
/// their transforms' output_spec: no pixel is computed to draw.
///
///     AugmentorList train({GoogleNetRandomCropAndResize(), Flip({.horiz = true}), ToFloat32()});
///     at::Tensor out = train.augment(image, rng);
class AugmentorList final : public ImageAugmentor {
 public:
  explicit AugmentorList(std::vector<AnyAugmentor> augmentors) : augmentors_(std::move(augmentors)) {}
  /// A TransformList.
  TransformPtr get_transform(const ImageSpec& image, Rng& rng) const override;

 private:
  std::vector<AnyAugmentor> augmentors_;
};

}  // namespace belfry::imgaug
