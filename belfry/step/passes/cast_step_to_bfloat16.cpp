#include <set>
#include <string>
#include <utility>
#include <vector>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/value_caster.h"
#include "belfry/ops/call.h"
#include "belfry/step/internal/step_passes.h"

// Mixed precision as in Kalamkar et al., "A study of bfloat16 for deep learning training" (2019): products
// take bfloat16 and add up in float32, and what is summed over many values, weights above all, stays float32.

namespace belfry::internal {
namespace {

/// Worth a conversion of its inputs.
bool is_heavy(const std::string& op) {
  static const std::set<std::string> names = {
      "belfry::fused_conv2d",           "belfry::fused_linear",          "aten::matmul",
      "belfry::conv2d_transpose",       "belfry::conv2d_backprop_input", "belfry::linear_backprop_input",
      "belfry::conv2d_backprop_filter", "belfry::linear_backprop_weight"};
  return names.contains(op);
}

/// Gives gradients of weights: float32 also from bfloat16.
bool gives_weights(const std::string& op) {
  return op == "belfry::conv2d_backprop_filter" || op == "belfry::linear_backprop_weight";
}

/// Keeps what it has by channel, inputs of one dimension and further outputs, in float32.
bool is_norm(const std::string& op) {
  return op.starts_with("belfry::batch_norm_") || op == "belfry::fused_scale_shift";
}

/// Stays in bfloat16 when its inputs are.
bool is_light(const Node& node) {
  static const std::set<std::string> names = {"belfry::max_pool2d",
                                              "belfry::max_pool2d_with_indices",
                                              "belfry::max_pool2d_backprop",
                                              "belfry::avg_pool2d",
                                              "belfry::avg_pool2d_backprop",
                                              "belfry::dropout_with_mask",
                                              "belfry::slice",
                                              "belfry::split",
                                              "belfry::pad",
                                              "belfry::add_n",
                                              "aten::reshape",
                                              "aten::permute",
                                              "aten::cat",
                                              "aten::stack",
                                              "aten::unsqueeze",
                                              "aten::squeeze.dims",
                                              "aten::select.int",
                                              "aten::expand",
                                              "aten::flatten.using_ints",
                                              "aten::alias",
                                              "aten::mT",
                                              "aten::mean.dim",
                                              "aten::add.Tensor",
                                              "aten::sub.Tensor",
                                              "aten::mul.Tensor",
                                              "aten::mul.Scalar",
                                              "aten::div.Scalar",
                                              "aten::neg",
                                              "aten::threshold_backward",
                                              "aten::sigmoid_backward",
                                              "aten::tanh_backward",
                                              "aten::gelu_backward",
                                              "aten::silu_backward",
                                              "aten::leaky_relu_backward",
                                              "aten::hardtanh_backward",
                                              "aten::elu_backward",
                                              "aten::hardswish_backward"};
  return names.contains(node.op_name()) || is_norm(node.op_name()) || activation_of(node);
}

}  // namespace

Function cast_step_to_bfloat16(const Function& graph) {
  ValueCaster caster(graph);
  return caster.run([&](const Node& node) -> Tensor {
    if (node.inputs().empty()) return {};
    const std::string op = node.op_name();
    const bool heavy = is_heavy(op) && node.outputs()[0].dtype == kFloat32;
    const bool low =
        heavy || (node.kind() == NodeKind::kCall && is_light(node) && caster.takes_bfloat16(node));
    auto inputs =
        caster.inputs(node, [&](size_t i) { return low && !(is_norm(op) && node.inputs()[i].rank() == 1); });
    std::vector<Tensor> outputs;
    if (low && gives_weights(op)) {
      OpParts parts(node);
      parts.set("dtype", kFloat32);
      outputs = call_multi(op, inputs, parts.attributes, node.name());
    } else {
      const Node& copy = caster.rewriter().copy(node, std::move(inputs));
      for (int i = 0; i < static_cast<int>(copy.outputs().size()); ++i) outputs.push_back(copy.output(i));
    }
    for (size_t i = 0; i < outputs.size(); ++i)
      caster.rewriter().define(node.output(static_cast<int>(i)), outputs[i]);
    return outputs[0];
  });
}

}  // namespace belfry::internal
