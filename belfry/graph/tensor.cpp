#include "belfry/graph/tensor.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/node.h"

namespace belfry {

const Node& Tensor::node() const {
  if (!node_) throw UsageError("[Tensor] expected a tensor of a graph, got none");
  return *node_;
}

const std::string& Tensor::op_name() const {
  return node().name();
}
std::string Tensor::name() const {
  return fmt::format("{}:{}", op_name(), index_);
}
DType Tensor::dtype() const {
  return node().outputs().at(index_).dtype;
}
const Shape& Tensor::shape() const {
  return node().outputs().at(index_).shape;
}
bool Tensor::has_value() const {
  return dtype() != DType::Undefined;
}
Graph& Tensor::graph() const {
  return node().graph();
}

int64_t Tensor::dim(int64_t axis) const {
  const int64_t position = axis < 0 ? axis + rank() : axis;
  if (position < 0 || position >= rank()) {
    throw UsageError(
        fmt::format("[{}] expected an axis of a tensor of {} dimensions, got {}", name(), rank(), axis));
  }
  return shape()[position];
}

std::string describe(const Tensor& tensor) {
  if (!tensor.defined()) return "none";
  if (!tensor.has_value()) return tensor.name() + " (no value)";
  return fmt::format("{} {} {}", tensor.name(), to_string(tensor.dtype()), to_string(tensor.shape()));
}

}  // namespace belfry
