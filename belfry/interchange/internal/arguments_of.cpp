#include "belfry/interchange/internal/arguments_of.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/result_type.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace belfry::internal {
namespace {

int64_t from_front(int64_t axis, int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

}  // namespace

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

std::vector<int64_t> ArgumentsOf::permutation() const {
  const int64_t rank = this->rank("self");
  const std::string op = node().op_name();
  if (op == "aten::permute") return axes("dims", rank);
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (rank < 2) return order;
  const bool named = op == "aten::transpose.int";
  const int64_t a = named ? axis("dim0", rank) : rank - 2, b = named ? axis("dim1", rank) : rank - 1;
  std::swap(order[static_cast<size_t>(a)], order[static_cast<size_t>(b)]);
  return order;
}

std::vector<int64_t> ArgumentsOf::squeezed_axes() const {
  const int64_t rank = this->rank("self");
  std::vector<int64_t> dropped =
      node().attribute("dim").isInt() ? std::vector<int64_t>{integer("dim")} : integers("dim");
  for (int64_t& axis : dropped) axis = from_front(axis, rank);
  std::erase_if(dropped, [&](int64_t axis) { return shape("self")[static_cast<size_t>(axis)] != 1; });
  return dropped;
}

std::vector<int64_t> ArgumentsOf::paddings() const {
  const std::vector<int64_t> last_first = integers("pad");
  std::vector<int64_t> paddings(static_cast<size_t>(2 * rank("self")));
  for (size_t i = 0; i + 1 < last_first.size(); i += 2) {
    paddings[paddings.size() - i - 2] = last_first[i];
    paddings[paddings.size() - i - 1] = last_first[i + 1];
  }
  return paddings;
}

std::string ArgumentsOf::contraction() const {
  std::string left, right;
  char next = 'a';
  for (int64_t i = 0; i < rank("self"); ++i) left += next++;
  for (int64_t i = 0; i < rank("other"); ++i) right += next++;
  std::string result = left + right;
  const auto summed = axes("dims_self", rank("self")), with = axes("dims_other", rank("other"));
  for (size_t i = 0; i < integers("dims_self").size(); ++i) {
    char& same = right[static_cast<size_t>(with[i])];
    const char label = left[static_cast<size_t>(summed[i])];
    std::erase_if(result, [&](char c) { return c == same || c == label; });
    same = label;
  }
  return fmt::format("{},{}->{}", left, right, result);
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
