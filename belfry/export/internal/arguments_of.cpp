#include "belfry/export/internal/arguments_of.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/result_type.h>
#include <fmt/format.h>

#include <numeric>

#include "belfry/base/error.h"

namespace belfry::internal {
namespace {

const Argument& argument_of(const Node& node, std::string_view name) {
  const auto index = node.op().schema().argumentIndexWithName(name);
  if (!index)
    throw InternalError(fmt::format("[{}] {} has no argument '{}'", node.name(), node.op_name(), name));
  return node.arguments()[static_cast<size_t>(*index)];
}

int64_t from_front(int64_t axis, int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

}  // namespace

Tensor ArgumentsOf::tensor(std::string_view name) const {
  const auto& inputs = argument_of(node_, name).inputs;
  return inputs.empty() || inputs[0] < 0 ? Tensor() : node_.inputs()[static_cast<size_t>(inputs[0])];
}

std::vector<Tensor> ArgumentsOf::tensors(std::string_view name) const {
  std::vector<Tensor> tensors;
  for (int index : argument_of(node_, name).inputs)
    tensors.push_back(index < 0 ? Tensor() : node_.inputs()[static_cast<size_t>(index)]);
  return tensors;
}

int64_t ArgumentsOf::axis(std::string_view name, int64_t rank) const {
  return from_front(integer(name), rank);
}

std::vector<int64_t> ArgumentsOf::axes(std::string_view name, int64_t rank) const {
  std::vector<int64_t> axes;
  if (has(name)) axes = integers(name);
  for (int64_t& axis : axes) axis = from_front(axis, rank);
  if (axes.empty()) {
    axes.resize(static_cast<size_t>(rank));
    std::iota(axes.begin(), axes.end(), 0);
  }
  return axes;
}

DType ArgumentsOf::compared_dtype() const {
  const auto meta = [](const Tensor& tensor) {
    return at::empty(std::vector<int64_t>(static_cast<size_t>(tensor.rank()), 1),
                     at::TensorOptions(at::kMeta).dtype(tensor.dtype()));
  };
  const Tensor other = tensor("other");
  const at::Tensor self = meta(tensor("self"));
  return other.defined() ? at::result_type(self, meta(other)) : at::result_type(self, scalar("other"));
}

}  // namespace belfry::internal
