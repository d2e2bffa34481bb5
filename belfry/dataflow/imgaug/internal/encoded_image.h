#pragma once

#include <ATen/ops/empty.h>

#include <span>
#include <string>

#include "belfry/dataflow/imgaug/decode_augment.h"

namespace belfry::imgaug {

// Of a component of a datapoint that is an image, or the bytes of a JPEG or PNG file: uint8 [size].

inline bool is_encoded(const at::Tensor& value) {
  return value.defined() && value.dim() == 1 && value.scalar_type() == at::kByte && value.is_contiguous();
}

/// Requires: is_encoded. Valid while the tensor lives.
inline ByteSpan bytes_of(const at::Tensor& value) {
  return std::as_bytes(std::span(value.const_data_ptr<uint8_t>(), static_cast<size_t>(value.numel())));
}

/// The content of a file as uint8 [size].
inline at::Tensor read_bytes(const std::string& path) {
  const auto file = FileSystem::posix().open(path);
  const uint64_t size = file->size();
  at::Tensor bytes = at::empty({static_cast<int64_t>(size)}, at::kByte);
  file->read(0, std::as_writable_bytes(std::span(bytes.mutable_data_ptr<uint8_t>(), size)));
  return bytes;
}

inline ImageSpec spec_of_any(const at::Tensor& value, const DecodeAugmentOptions& options) {
  return is_encoded(value) ? read_image_spec(bytes_of(value), options.decode) : spec_of(value);
}

/// Contiguous.
inline at::Tensor transform_any(const at::Tensor& value, const TransformPtr& transform,
                                const DecodeAugmentOptions& options) {
  if (!is_encoded(value)) return transform->apply_image(value).contiguous();
  return decode_and_transform(bytes_of(value), transform, options).contiguous();
}

inline at::Tensor augment_any(const at::Tensor& value, const ImageAugmentor& augmentor, Rng& rng,
                              const DecodeAugmentOptions& options) {
  return transform_any(value, augmentor.get_transform(spec_of_any(value, options), rng), options);
}

}  // namespace belfry::imgaug
