#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "belfry/graph/graph.h"
#include "belfry/graph/rewriter.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/ops/call.h"
#include "belfry/ops/math.h"
#include "belfry/step/internal/step_passes.h"

// Mixed precision as in Kalamkar et al., "A study of bfloat16 for deep learning training" (2019): products
// take bfloat16 and add up in float32, and what is summed over many values, weights above all, stays float32.

namespace belfry::internal {
namespace {

/// Worth a conversion of its inputs.
bool is_heavy(const std::string& op) {
  static const std::set<std::string> names = {
      "belfry::fused_conv2d",          "belfry::fused_linear",          "aten::matmul",
      "belfry::conv2d_backprop_input", "belfry::linear_backprop_input", "belfry::conv2d_backprop_filter",
      "belfry::linear_backprop_weight"};
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

class Caster {
 public:
  explicit Caster(const Function& source) : source_(source), rewriter_(source) {}

  Function run() {
    Function result = rewriter_.run([this](const Node& node) { return rule(node); });
    GraphScope scope(*result.graph);
    for (size_t i = 0; i < result.outputs.size(); ++i)
      result.outputs[i] = as(result.outputs[i], source_.outputs[i].dtype());
    return result;
  }

 private:
  Tensor rule(const Node& node) {
    if (node.inputs().empty()) return {};
    const std::string op = node.op_name();
    bool low = is_heavy(op) && node.outputs()[0].dtype == kFloat32;
    if (node.kind() == NodeKind::kCall && is_light(node)) {
      for (const Tensor& input : node.inputs()) low |= rewriter_(input).dtype() == kBFloat16;
    }
    std::vector<Tensor> inputs;
    for (const Tensor& old : node.inputs()) {
      const bool cast = low && old.dtype() == kFloat32 && !(is_norm(op) && old.rank() == 1);
      inputs.push_back(as(rewriter_(old), cast ? kBFloat16 : old.dtype()));
    }
    if (low && gives_weights(op)) {
      OpParts parts(node);
      parts.set("dtype", kFloat32);
      return define(node, call_multi(op, inputs, parts.attributes, node.name()));
    }
    const Node& copy = rewriter_.copy(node, std::move(inputs));
    std::vector<Tensor> outputs;
    for (int i = 0; i < static_cast<int>(copy.outputs().size()); ++i) outputs.push_back(copy.output(i));
    return define(node, outputs);
  }

  Tensor define(const Node& node, const std::vector<Tensor>& outputs) {
    for (size_t i = 0; i < outputs.size(); ++i)
      rewriter_.define(node.output(static_cast<int>(i)), outputs[i]);
    return outputs[0];
  }

  /// `tensor` in that dtype; converted once, and not there and back.
  Tensor as(const Tensor& tensor, DType dtype) {
    if (!tensor.defined() || tensor.dtype() == dtype) return tensor;
    Tensor& known = casts_[tensor];
    if (!known.defined()) known = cast(tensor, dtype);
    return known;
  }

  const Function& source_;
  Rewriter rewriter_;
  std::unordered_map<Tensor, Tensor> casts_;
};

}  // namespace

Function cast_step_to_bfloat16(const Function& graph) {
  return Caster(graph).run();
}

}  // namespace belfry::internal
