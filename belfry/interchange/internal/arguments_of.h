#pragma once

#include <c10/core/Scalar.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "belfry/graph/arguments_of.h"

namespace belfry::internal {

/// A node's arguments by the names of its schema, as C++ values too. Every function throws InternalError when
/// the schema has no such argument.
class ArgumentsOf : public belfry::ArgumentsOf {
 public:
  using belfry::ArgumentsOf::ArgumentsOf;

  bool has(std::string_view name) const { return !node().attribute(name).isNone(); }
  int64_t integer(std::string_view name) const { return node().attribute(name).toInt(); }
  double number(std::string_view name) const { return node().attribute(name).toScalar().toDouble(); }
  c10::Scalar scalar(std::string_view name) const { return node().attribute(name).toScalar(); }
  bool flag(std::string_view name) const { return node().attribute(name).toBool(); }
  std::string text(std::string_view name) const { return node().attribute(name).toStringRef(); }
  std::vector<int64_t> integers(std::string_view name) const { return node().attribute(name).toIntVector(); }
  /// An axis counted from the front, of a tensor of `rank` dimensions.
  int64_t axis(std::string_view name, int64_t rank) const;
  /// The same of a list; none or empty: all axes.
  std::vector<int64_t> axes(std::string_view name, int64_t rank) const;

  DType dtype(std::string_view name) const { return tensor(name).dtype(); }
  const Shape& shape(std::string_view name) const { return tensor(name).shape(); }
  int64_t rank(std::string_view name) const { return tensor(name).rank(); }

  /// The dtype in which a comparison compares "self" with "other", a tensor or a number.
  DType compared_dtype() const;
  /// Of aten::permute, transpose, mT and t: the dimension of "self" that each of the result is.
  std::vector<int64_t> permutation() const;
  /// Of aten::squeeze: the axes that it drops, those of "dim" whose size is 1.
  std::vector<int64_t> squeezed_axes() const;
  /// Of aten::constant_pad_nd: before and after each dimension of "self", the first dimension first.
  std::vector<int64_t> paddings() const;
  /// Of aten::tensordot: the equation of einsum for it.
  std::string contraction() const;

  const NodeOutput& result(size_t index = 0) const { return node().outputs().at(index); }
};

}  // namespace belfry::internal
