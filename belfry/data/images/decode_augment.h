#pragma once

#include "belfry/data/codecs/decode_image.h"
#include "belfry/data/imgaug/augmentor.h"

namespace belfry::imgaug {

struct DecodeAugmentOptions {
  DecodeOptions decode = {};
  /// True: decode the whole picture at full size, then apply the transforms, so that the result is that of
  /// decode_image and apply_image, to the last bit.
  bool exact = false;
};

/// What `transform` makes of the picture in a JPEG or PNG file.
///
/// Of a JPEG, only what the crops and the resize at the beginning of `transform` leave is decoded, at half, a
/// quarter or an eighth of the size where that still has a pixel for each that the resize makes. A crop alone
/// changes no pixel. A resize rounds differently: by 1 of 255. From a smaller decoded size it averages pixels
/// that linear and cubic interpolation would skip, which looks smoother.
///
/// Throws as decode_image and Transform::apply_image. Safe to call from any thread.
at::Tensor decode_and_transform(ByteSpan bytes, const TransformPtr& transform,
                                const DecodeAugmentOptions& options = {});

/// Draws the transform for the picture, of which the header tells the size, then decode_and_transform. The
/// result is contiguous.
at::Tensor decode_and_augment(ByteSpan bytes, const ImageAugmentor& augmentor, Rng& rng,
                              const DecodeAugmentOptions& options = {});

}  // namespace belfry::imgaug
