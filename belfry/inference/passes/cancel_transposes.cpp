#include <algorithm>
#include <numeric>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/ops/array.h"

namespace belfry::internal {
namespace {

using Permutation = std::vector<int64_t>;

/// What `tensor` is a transpose of, and how; nullopt when it is none.
struct Transposed {
  Tensor base;
  Permutation order;
};
std::optional<Transposed> as_transposed(const Tensor& tensor) {
  const Node& node = tensor.node();
  if (!is_call(node, "aten::permute")) return std::nullopt;
  Transposed result{node.inputs()[0], node.attribute("dims").toIntVector()};
  for (int64_t& axis : result.order) axis += axis < 0 ? tensor.rank() : 0;
  return result;
}

Tensor transposed(const Tensor& base, const Permutation& order) {
  Permutation same(order.size());
  std::iota(same.begin(), same.end(), 0);
  return order == same ? base : transpose(base, order);
}

bool is_element_wise(const Node& node) {
  return node.kind() == NodeKind::kCall && node.outputs().size() == 1 && node.op().hasTag(at::Tag::pointwise);
}

}  // namespace

Function cancel_transposes(const Function& graph) {
  Rewriter rewriter(graph);
  return rewriter.run([&](const Node& node) -> Tensor {
    if (node.kind() != NodeKind::kCall || node.inputs().empty()) return {};
    if (const auto outer = as_transposed(node.output())) {
      const Tensor x = rewriter(outer->base);
      const auto inner = as_transposed(x);
      if (!inner) return transposed(x, outer->order);
      Permutation both;
      for (int64_t axis : outer->order) both.push_back(inner->order[static_cast<size_t>(axis)]);
      return transposed(inner->base, both);
    }
    if (node.op_name() == "aten::reshape") {
      const Node& before = rewriter(node.inputs()[0]).node();
      if (!is_call(before, "aten::reshape")) return {};
      return reshape(before.inputs()[0], node.attribute("shape").toIntVector(), node.name() + "/");
    }
    if (!is_element_wise(node)) return {};
    // All inputs of full rank transposed alike: the operator goes in front of the transpose.
    std::vector<Tensor> inputs;
    std::optional<Permutation> order;
    for (const Tensor& old : node.inputs()) {
      const Tensor input = rewriter(old);
      const auto source = as_transposed(input);
      if (!source && input.rank() != 0) return {};
      if (source && order && *order != source->order) return {};
      if (source) order = source->order;
      inputs.push_back(source ? source->base : input);
    }
    if (!order) return {};
    return transposed(rewriter.copy(node, std::move(inputs)).output(), *order);
  });
}

}  // namespace belfry::internal
