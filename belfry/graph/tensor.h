#pragma once

#include <string>
#include <vector>

#include "belfry/graph/types.h"

namespace belfry {

class Graph;
class Node;

/// A symbolic tensor: output `index` of a node of a graph. A cheap value, copied freely; it stays valid as
/// long as its graph lives. A default-constructed Tensor is "none": it stands for a missing optional input, a
/// gradient that does not exist, or the outcome of a tower function that returns nothing.
///
/// An operation without a value (`group`, for instance) is a Tensor too: it can be fetched (which runs it)
/// and be a control dependency, but its `dtype()` is undefined and it cannot be an operator's input.
class Tensor {
 public:
  Tensor() = default;
  Tensor(const Node* node, int index) : node_(node), index_(index) {}

  bool defined() const { return node_ != nullptr; }
  explicit operator bool() const { return defined(); }

  /// "conv0/output:0"
  std::string name() const;
  /// "conv0/output"
  const std::string& op_name() const;
  DType dtype() const;
  const Shape& shape() const;
  /// Number of dimensions.
  int64_t rank() const { return static_cast<int64_t>(shape().size()); }
  /// Size of dimension `axis`, which may count from the end (-1 is the last); kDynamic where only a run
  /// knows.
  int64_t dim(int64_t axis) const;
  /// False for the outcome of an operation that only has an effect.
  bool has_value() const;

  const Node& node() const;
  int index() const { return index_; }
  Graph& graph() const;

  /// True for the same output of the same node. Tensors have no order; containers use std::hash.
  friend bool operator==(const Tensor&, const Tensor&) = default;

 private:
  const Node* node_ = nullptr;
  int index_ = 0;
};

/// "conv0/output:0 float32 [?, 14, 14, 32]", for messages.
std::string describe(const Tensor& tensor);

}  // namespace belfry

template <>
struct std::hash<belfry::Tensor> {
  size_t operator()(const belfry::Tensor& t) const noexcept {
    return std::hash<const void*>()(t.defined() ? &t.node() : nullptr) * 31 + static_cast<size_t>(t.index());
  }
};
