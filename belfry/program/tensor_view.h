#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "belfry/program/bfloat16.h"
#include "belfry/program/element_type.h"

namespace belfry::internal {

/// Bytes that tensors lie in. Memory between two instructions gets its place when the program is complete,
/// that of feeds and results with each run.
struct Memory {
  void* data = nullptr;
  int64_t bytes = 0;
  std::shared_ptr<const void> owner = {};  ///< what keeps the bytes; none where the program or a caller does
};

using Sizes = std::vector<int64_t>;

/// A tensor as the instructions of a program see it: where its memory is, now or later, and how its elements
/// lie there. A value; copies look at the same memory, which the last of them gives up. Strides and offsets
/// are in elements, as in ATen.
class TensorView {
 public:
  /// No tensor.
  TensorView() = default;
  /// Dense, from the start of `memory`.
  TensorView(std::shared_ptr<Memory> memory, ElementType type, Sizes sizes);
  TensorView(std::shared_ptr<Memory> memory, ElementType type, Sizes sizes, Sizes strides, int64_t offset);

  bool defined() const { return memory_ != nullptr; }
  const std::shared_ptr<Memory>& memory() const { return memory_; }
  ElementType type() const { return type_; }
  const Sizes& sizes() const { return sizes_; }
  const Sizes& strides() const { return strides_; }
  int64_t offset() const { return byte_offset_ / size_of(type_); }
  int64_t dim() const { return static_cast<int64_t>(sizes_.size()); }
  /// Negative axes count from the last.
  int64_t size(int64_t axis) const { return sizes_[index(axis)]; }
  int64_t stride(int64_t axis) const { return strides_[index(axis)]; }
  int64_t numel() const { return numel_; }
  int64_t nbytes() const { return numel_ * size_of(type_); }
  bool is_contiguous() const { return is_contiguous_; }

  /// Where the first element lies now. Requires: the memory has its place.
  void* data() const { return static_cast<char*>(memory_->data) + byte_offset_; }
  template <typename T>
  T* data_as() const {
    return static_cast<T*>(data());
  }

  /// Null where there is no tensor.
  template <typename T>
  T* data_or_null() const {
    return defined() ? data_as<T>() : nullptr;
  }

  // The same memory seen in another way:

  TensorView as_strided(Sizes sizes, Sizes strides, int64_t offset) const;
  TensorView transpose(int64_t a, int64_t b) const;
  TensorView narrow(int64_t axis, int64_t first, int64_t length) const;
  /// An axis as several, of these sizes.
  TensorView unflatten(int64_t axis, const Sizes& sizes) const;
  /// With other sizes. Requires: it is contiguous, and the sizes have as many elements.
  TensorView view(Sizes sizes) const;

 private:
  size_t index(int64_t axis) const { return static_cast<size_t>(axis < 0 ? axis + dim() : axis); }

  std::shared_ptr<Memory> memory_;
  ElementType type_ = ElementType::kFloat32;
  bool is_contiguous_ = true;
  int64_t byte_offset_ = 0, numel_ = 0;
  Sizes sizes_, strides_;
};

/// `body(T())` with the type of the tensor's elements, float32 or bfloat16.
template <typename Body>
auto with_type_of(const TensorView& tensor, Body body) {
  return tensor.type() == ElementType::kBFloat16 ? body(BFloat16()) : body(float());
}

/// A contiguous tensor with the last dimension against all others.
TensorView as_matrix(const TensorView& x);

}  // namespace belfry::internal
