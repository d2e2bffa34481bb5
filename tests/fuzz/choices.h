#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry::test {

/// What a generated graph is made of, decided by the bytes of an input as long as there are some, and then by
/// random numbers that all of them seed. One input always decides the same.
class Choices {
 public:
  explicit Choices(std::string_view bytes);

  size_t below(size_t count);
  bool one_in(size_t count) { return below(count) == 0; }
  template <typename T>
  T of(std::initializer_list<T> values) {
    return std::data(values)[below(values.size())];
  }
  template <typename T>
  const T& of(const std::vector<T>& values) {
    return values[below(values.size())];
  }

  /// Mostly a size or an axis, now and then a number at which sums and products overflow. Those between are
  /// rare, and has_medium_numbers remembers them: memory of such a size could be had.
  int64_t number();
  bool has_medium_numbers() const { return medium_; }
  double real();
  /// One that tensors of a graph often have, or any.
  DType dtype();
  /// The shape that tensors of this graph often have, one like it, or any.
  Shape shape();

 private:
  Shape any_shape();

  std::string_view bytes_;
  std::mt19937_64 random_;
  bool medium_ = false;
  bool careful_ = false;  ///< half of the graphs fit more often: their tensors are of one shape
  DType usual_dtype_ = kFloat32;
  Shape usual_shape_;
};

/// Elements for a run: indices that fit or do not, infinity, not a number.
at::Tensor random_values(Choices& choices, const Shape& shape, DType dtype);

}  // namespace belfry::test
