#include <set>
#include <string>

#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/ops/math.h"

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
    if (node.kind() != NodeKind::kCall || node.outputs().size() != 1 || node.inputs().empty()) return {};
    const bool heavy = is_heavy(node) && node.outputs()[0].dtype == kFloat32;
    bool low = heavy;
    if (!heavy && is_light(node)) {
      for (const Tensor& input : node.inputs()) low |= rewriter_(input).dtype() == kBFloat16;
    }
    std::vector<Tensor> inputs;
    for (const Tensor& old : node.inputs()) {
      const bool stays = !inputs.empty() && keeps_scale(node);
      const bool cast = low && !stays && old.dtype() == kFloat32;
      inputs.push_back(as(rewriter_(old), cast ? kBFloat16 : old.dtype()));
    }
    return rewriter_.copy(node, std::move(inputs)).output();
  }

  /// `tensor` in that dtype; converted once, and not there and back.
  Tensor as(const Tensor& tensor, DType dtype) {
    if (tensor.dtype() == dtype) return tensor;
    Tensor& known = casts_[tensor];
    if (!known.defined()) known = cast(tensor, dtype);
    return known;
  }

  const Function& source_;
  Rewriter rewriter_;
  std::unordered_map<Tensor, Tensor> casts_;
};

}  // namespace

Function cast_to_bfloat16(const Function& graph) {
  return Caster(graph).run();
}

}  // namespace belfry::internal
