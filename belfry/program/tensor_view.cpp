#include "belfry/program/tensor_view.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace belfry::internal {
namespace {

int64_t product(const Sizes& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
}

Sizes dense_strides(const Sizes& sizes) {
  Sizes strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  return strides;
}

/// The stride of an axis with one element says nothing.
bool is_dense(const Sizes& sizes, const Sizes& strides) {
  int64_t wanted = 1;
  for (size_t i = sizes.size(); i-- > 0;) {
    if (sizes[i] != 1 && strides[i] != wanted) return false;
    wanted *= sizes[i];
  }
  return true;
}

}  // namespace

TensorView::TensorView(std::shared_ptr<Memory> memory, ElementType type, Sizes sizes)
    : memory_(std::move(memory)),
      type_(type),
      numel_(product(sizes)),
      sizes_(std::move(sizes)),
      strides_(dense_strides(sizes_)) {}

TensorView::TensorView(std::shared_ptr<Memory> memory, ElementType type, Sizes sizes, Sizes strides,
                       int64_t offset)
    : memory_(std::move(memory)),
      type_(type),
      is_contiguous_(product(sizes) == 0 || is_dense(sizes, strides)),
      byte_offset_(offset * size_of(type)),
      numel_(product(sizes)),
      sizes_(std::move(sizes)),
      strides_(std::move(strides)) {}

TensorView TensorView::as_strided(Sizes sizes, Sizes strides, int64_t offset) const {
  return {memory_, type_, std::move(sizes), std::move(strides), offset};
}

TensorView TensorView::transpose(int64_t a, int64_t b) const {
  Sizes sizes = sizes_, strides = strides_;
  std::swap(sizes[index(a)], sizes[index(b)]);
  std::swap(strides[index(a)], strides[index(b)]);
  return as_strided(std::move(sizes), std::move(strides), offset());
}

TensorView TensorView::narrow(int64_t axis, int64_t first, int64_t length) const {
  Sizes sizes = sizes_;
  sizes[index(axis)] = length;
  return as_strided(std::move(sizes), strides_, offset() + first * stride(axis));
}

TensorView TensorView::unflatten(int64_t axis, const Sizes& sizes) const {
  Sizes all = sizes_, strides = strides_, inner = dense_strides(sizes);
  for (int64_t& step : inner) step *= stride(axis);
  const auto place = static_cast<std::ptrdiff_t>(index(axis));
  all.insert(all.erase(all.begin() + place), sizes.begin(), sizes.end());
  strides.insert(strides.erase(strides.begin() + place), inner.begin(), inner.end());
  return as_strided(std::move(all), std::move(strides), offset());
}

TensorView TensorView::view(Sizes sizes) const {
  Sizes strides = dense_strides(sizes);
  return as_strided(std::move(sizes), std::move(strides), offset());
}

TensorView as_matrix(const TensorView& x) {
  return x.dim() == 2 ? x : x.view({x.numel() / x.size(-1), x.size(-1)});
}

}  // namespace belfry::internal
