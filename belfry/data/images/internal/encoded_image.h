#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <string>

#include "belfry/data/images/decode_augment.h"
#include "belfry/dataflow/file_bytes.h"

namespace belfry::imgaug::internal {

// Of a component of a datapoint that is an image, or the bytes of a JPEG or PNG file: uint8 [size].

inline bool is_encoded(const at::Tensor& value) {
  return value.defined() && value.dim() == 1 && value.scalar_type() == at::kByte && value.is_contiguous();
}

/// Requires: is_encoded. Valid while the tensor lives.
inline ByteSpan bytes_of(const at::Tensor& value) {
  return std::as_bytes(std::span(value.const_data_ptr<uint8_t>(), static_cast<size_t>(value.numel())));
}

/// With the file that `value` was read from as the name for messages, where that is known.
inline DecodeAugmentOptions named(const DecodeAugmentOptions& options, const at::Tensor& value) {
  DecodeAugmentOptions result = options;
  if (const std::string* path = file_of_bytes(value)) result.decode.name = *path;
  return result;
}

inline ImageSpec spec_of_any(const at::Tensor& value, const DecodeAugmentOptions& options) {
  return is_encoded(value) ? read_image_spec(bytes_of(value), named(options, value).decode) : spec_of(value);
}

/// Contiguous.
inline at::Tensor transform_any(const at::Tensor& value, const TransformPtr& transform,
                                const DecodeAugmentOptions& options) {
  if (!is_encoded(value)) return transform->apply_image(value).contiguous();
  return decode_and_transform(bytes_of(value), transform, named(options, value)).contiguous();
}

inline at::Tensor augment_any(const at::Tensor& value, const ImageAugmentor& augmentor, Rng& rng,
                              const DecodeAugmentOptions& options) {
  return transform_any(value, augmentor.get_transform(spec_of_any(value, options), rng), options);
}

}  // namespace belfry::imgaug::internal
