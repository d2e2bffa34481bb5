#include "belfry/ops/internal/known_integers.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <set>
#include <string>

#include "belfry/graph/node.h"

namespace belfry::internal {
namespace {

using Integers = std::vector<int64_t>;

constexpr int64_t kMostIntegers = 1024;
constexpr int kMostNested = 64;

/// How many elements there are; none where the graph does not know, or where they are too many.
std::optional<int64_t> count_of(const Tensor& tensor) {
  int64_t count = 1;
  for (const int64_t size : tensor.shape()) {
    if (size == kDynamic || size > kMostIntegers) return std::nullopt;
    count *= size;
    if (count > kMostIntegers) return std::nullopt;
  }
  return count;
}

Integers elements(const at::Tensor& value) {
  const at::Tensor list = value.to(at::kCPU, at::kLong).contiguous();
  return {list.const_data_ptr<int64_t>(), list.const_data_ptr<int64_t>() + list.numel()};
}

/// Element `index` of a list, or a part of it, as a list.
std::optional<Integers> part(const Integers& whole, int64_t begin, int64_t count) {
  const int64_t size = static_cast<int64_t>(whole.size());
  if (begin < 0 || count < 0 || begin > size || count > size - begin) return std::nullopt;
  return Integers(whole.begin() + begin, whole.begin() + begin + count);
}

std::optional<Integers> look(const Tensor& tensor, int depth);

/// Of a call whose elements are those of its inputs, in some way.
std::optional<Integers> look_through(const Node& node, int64_t count, int depth) {
  static const std::set<std::string> kSame = {
      "aten::reshape",  "aten::unsqueeze", "aten::squeeze.dims",      "belfry::reshape",
      "aten::_to_copy", "aten::alias",     "aten::flatten.using_ints"};
  const std::string name = node.op_name();
  if (name == "belfry::shape") {
    Integers sizes = node.inputs()[0].shape();
    std::ranges::replace(sizes, kDynamic, kUnknownInteger);
    return sizes;
  }
  if (kSame.contains(name)) return look(node.inputs()[0], depth + 1);
  if (name == "aten::stack" || name == "aten::cat") {
    if (node.attribute("dim").toInt() != 0) return std::nullopt;
    Integers all;
    for (const Tensor& input : node.inputs()) {
      const auto one = look(input, depth + 1);
      if (!one || static_cast<int64_t>(all.size() + one->size()) > kMostIntegers) return std::nullopt;
      all.insert(all.end(), one->begin(), one->end());
    }
    return all;
  }
  const bool is_part = name == "aten::select.int" || name == "belfry::slice";
  if (!is_part || node.inputs()[0].rank() != 1) return std::nullopt;
  const auto whole = look(node.inputs()[0], depth + 1);
  if (!whole) return std::nullopt;
  if (name == "belfry::slice") return part(*whole, node.attribute("begin").toIntVector()[0], count);
  const int64_t index = node.attribute("index").toInt();
  return part(*whole, index < 0 ? index + static_cast<int64_t>(whole->size()) : index, 1);
}

std::optional<Integers> look(const Tensor& tensor, int depth) {
  const auto count = count_of(tensor);
  if (!count || !c10::isIntegralType(tensor.dtype(), /*includeBool=*/false)) return std::nullopt;
  const Node& node = tensor.node();
  std::optional<Integers> known;
  if (node.kind() == NodeKind::kConstant) {
    known = elements(node.attribute("value").toTensor());
  } else if (depth < kMostNested && node.kind() == NodeKind::kIdentity) {
    known = look(node.inputs()[0], depth + 1);
  } else if (depth < kMostNested && node.kind() == NodeKind::kCall) {
    known = look_through(node, *count, depth);
  }
  if (!known || static_cast<int64_t>(known->size()) != *count)
    return Integers(static_cast<size_t>(*count), kUnknownInteger);
  return known;
}

}  // namespace

std::optional<Integers> known_integers(const Tensor& tensor) {
  return look(tensor, 0);
}

std::optional<Integers> constant_integers(const Tensor& tensor) {
  auto known = look(tensor, 0);
  if (known && std::ranges::find(*known, kUnknownInteger) != known->end()) known.reset();
  return known;
}

std::optional<Shape> constant_shape(const RunTimeShape& shape) {
  auto sizes = shape.sizes.rank() == 1 ? constant_integers(shape.sizes) : std::nullopt;
  if (!sizes || shape.known.empty()) return sizes;
  const auto agree = [](int64_t size, int64_t known) { return known == kDynamic || known == size; };
  return std::ranges::equal(*sizes, shape.known, agree) ? sizes : std::nullopt;
}

}  // namespace belfry::internal
