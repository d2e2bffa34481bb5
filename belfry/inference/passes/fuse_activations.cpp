#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"

namespace belfry::internal {

Function fuse_activations(const Function& graph) {
  Rewriter rewriter(graph);
  return rewriter.run([&](const Node& node) -> Tensor {
    if (node.kind() != NodeKind::kCall) return {};
    const auto activation = activation_of(node);
    if (!activation) return {};
    const Tensor before = node.inputs()[0];
    auto op = fused_op(before.node());
    if (!op || op->has_activation() || rewriter.uses(before) > 1) return {};
    op->set("activation", activation->name);
    op->set("alpha", activation->alpha);
    op->set("beta", activation->beta);
    for (Tensor& input : op->inputs) input = rewriter(input);
    return op->build(before.op_name());
  });
}

}  // namespace belfry::internal
