#include "belfry/inference/internal/needed_numbers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/all.h>

#include <algorithm>
#include <unordered_map>

#include "belfry/inference/internal/fused_op.h"

namespace belfry::internal {
namespace {

const std::unordered_map<std::string_view, Numbers>& needs() {
  static const std::unordered_map<std::string_view, Numbers> table = {
      {"aten::layer_norm", Numbers::kOrdinary},
      {"belfry::fused_conv2d", Numbers::kOrdinary},  // infinities times the zeros of its padding
      {"belfry::conv2d_transpose", Numbers::kOrdinary},
      {"aten::scaled_dot_product_attention", Numbers::kNoNaN},
      {"belfry::max_pool2d", Numbers::kOrdinary},
      {"belfry::batch_norm_training", Numbers::kOrdinary},
  };
  return table;
}

Numbers needed_by(const Node& node) {
  if (node.kind() != NodeKind::kCall) return Numbers::kAny;
  const auto fused = fused_op(node);
  if ((fused && fused->has_activation()) || activation_of(node)) return Numbers::kOrdinary;
  const auto found = needs().find(node.op_name());
  return found == needs().end() ? Numbers::kAny : found->second;
}

}  // namespace

bool all_are(Numbers numbers, const at::Tensor& tensor) {
  if (numbers == Numbers::kAny || !tensor.is_floating_point() || tensor.numel() == 0) return true;
  if (tensor.scalar_type() == at::kFloat && tensor.is_contiguous())
    return all_are(numbers, {tensor.const_data_ptr<float>(), static_cast<size_t>(tensor.numel())});
  const at::Tensor good = tensor <= static_cast<double>(kLargestOrdinary);
  return (numbers == Numbers::kNoNaN ? good : good & (tensor >= -static_cast<double>(kLargestOrdinary)))
      .all()
      .item<bool>();
}

NeededNumbers needed_numbers(const Function& graph) {
  NeededNumbers needed;
  std::vector<const Node*> multiplying;
  for (const Node* node : graph.calls()) {
    needed.feeds = std::max(needed.feeds, needed_by(*node));
    if (fused_op(*node) || is_call(*node, "belfry::conv2d_transpose")) multiplying.push_back(node);
  }
  if (needed.feeds != Numbers::kOrdinary) return needed;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    if (std::ranges::any_of(multiplying, [&](const Node* node) {
          return std::ranges::find(node->inputs(), graph.weights[i].tensor) != node->inputs().end();
        }))
      needed.weights.push_back(i);
  }
  return needed;
}

}  // namespace belfry::internal
