#include <unordered_set>

#include "belfry/graph/rewriter.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/ops/call.h"
#include "belfry/step/internal/step_passes.h"

namespace belfry::internal {
namespace {

/// The operator of that name with the node's attributes, on other inputs, in the node's place.
void replace(Rewriter& rewriter, const Node& node, const char* op, const std::vector<Tensor>& inputs,
             bool relu6) {
  Attributes attributes = OpParts(node).attributes;
  if (relu6) attributes.emplace_back("limit", 6.0);
  const auto outputs = call_multi(op, inputs, attributes, node.name() + "_relu");
  for (size_t i = 0; i < outputs.size(); ++i) rewriter.define(node.output(static_cast<int>(i)), outputs[i]);
}

}  // namespace

Function fuse_batch_norm_relu(const Function& graph) {
  Rewriter rewriter(graph);
  const auto input = [&](const Node& node, const char* name) { return rewriter(input_named(node, name)); };
  std::unordered_set<Tensor> fused;  // outputs of relus
  return rewriter.run([&](const Node& node) -> Tensor {
    if (is_call(node, "aten::relu") || is_call(node, "aten::relu6")) {
      const Tensor y = node.inputs()[0];
      const Node& norm = y.node();
      if (!is_call(norm, "belfry::batch_norm_training") || y.index() != 0 || rewriter.uses(y) > 1) return {};
      replace(rewriter, norm, "belfry::batch_norm_relu_training",
              {input(norm, "input"), input(norm, "scale"), input(norm, "offset")},
              is_call(node, "aten::relu6"));
      fused.insert(node.output());
      return rewriter(y);
    }
    if (is_call(node, "belfry::batch_norm_training_backprop")) {
      const Tensor gradient = input_named(node, "gradient"), mean = input_named(node, "mean");
      const Node& relu = gradient.node();
      const bool is_relu6 = is_call(relu, "aten::hardtanh_backward");
      if ((!is_call(relu, "aten::threshold_backward") && !is_relu6) || rewriter.uses(gradient) > 1) return {};
      const Tensor y = input_named(relu, "self");
      const Node& norm = mean.node();
      if (!fused.contains(y) || y.node().inputs()[0] != norm.output(0)) return {};
      replace(rewriter, node, "belfry::batch_norm_relu_training_backprop",
              {input(relu, "grad_output"), input(node, "input"), input(node, "scale"), input(norm, "offset"),
               input(node, "mean"), input(node, "variance")},
              is_relu6);
      return rewriter(node.output(0));
    }
    return {};
  });
}

}  // namespace belfry::internal
