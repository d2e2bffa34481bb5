#include <set>
#include <string>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/inference/internal/value_caster.h"

namespace belfry::internal {
namespace {

/// Worth a conversion of its inputs.
bool is_heavy(const Node& node) {
  const std::string op = node.op_name();
  return op == "belfry::fused_conv2d" || op == "belfry::fused_linear" || op == "aten::matmul" ||
         op == "aten::scaled_dot_product_attention";
}

/// Stays in bfloat16 when its inputs are.
bool is_light(const Node& node) {
  static const std::set<std::string> names = {"belfry::fused_scale_shift",
                                              "belfry::max_pool2d",
                                              "belfry::avg_pool2d",
                                              "belfry::slice",
                                              "belfry::split",
                                              "belfry::pad",
                                              "aten::reshape",
                                              "aten::permute",
                                              "aten::cat",
                                              "aten::unsqueeze",
                                              "aten::squeeze.dims",
                                              "aten::select.int",
                                              "aten::flatten.using_ints",
                                              "aten::layer_norm",
                                              "aten::mean.dim",
                                              "aten::add.Tensor",
                                              "aten::mul.Tensor"};
  return names.contains(node.op_name()) || activation_of(node);
}

/// The scale and shift of a normalisation are as precise as its statistics were.
bool keeps_scale(const Node& node) {
  return node.op_name() == "aten::layer_norm" || node.op_name() == "belfry::fused_scale_shift";
}

}  // namespace

Function cast_to_bfloat16(const Function& graph) {
  ValueCaster caster(graph);
  return caster.run([&](const Node& node) -> Tensor {
    if (node.kind() != NodeKind::kCall || node.outputs().size() != 1 || node.inputs().empty()) return {};
    const bool heavy = is_heavy(node) && node.outputs()[0].dtype == kFloat32;
    const bool low = heavy || (is_light(node) && caster.takes_bfloat16(node));
    auto inputs = caster.inputs(node, [&](size_t i) { return low && (i == 0 || !keeps_scale(node)); });
    return caster.rewriter().copy(node, std::move(inputs)).output();
  });
}

}  // namespace belfry::internal
