#include "belfry/graph/custom_gradient.h"

#include "belfry/graph/arguments_of.h"

namespace belfry {

bool is_custom_gradient(const Node& node) {
  return node.kind() == NodeKind::kCall && node.op().operator_name().name == kCustomGradient;
}

std::vector<Tensor> values_of_custom_gradient(const Node& node) {
  std::vector<Tensor> values;
  for (const Tensor& output : ArgumentsOf(node).tensors("outputs")) {
    const bool is_cut = output.node().op().operator_name().name == "aten::detach";
    values.push_back(is_cut ? output.node().inputs()[0] : output);
  }
  return values;
}

}  // namespace belfry
