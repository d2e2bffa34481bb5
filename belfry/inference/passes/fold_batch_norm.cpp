#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"
#include "belfry/ops/operators.h"

namespace belfry::internal {

Function fold_batch_norm(const Function& graph) {
  const auto independent = independent_nodes(graph);
  Rewriter rewriter(graph);
  return rewriter.run([&](const Node& node) -> Tensor {
    const auto norm = fused_op(node);
    if (!norm || norm->op != "belfry::fused_scale_shift" || norm->has_activation()) return {};
    const Tensor before = norm->inputs[0];
    if (!independent.contains(&norm->inputs[1].node()) || !independent.contains(&norm->inputs[2].node()))
      return {};
    auto op = fused_op(before.node());
    if (!op || !op->has_weights() || op->has_activation() || op->inputs[3].defined() ||
        rewriter.uses(before) > 1)
      return {};
    const Tensor scale = rewriter(norm->inputs[1]), shift = rewriter(norm->inputs[2]),
                 bias = rewriter(op->inputs[2]);
    op->inputs = {rewriter(op->inputs[0]), rewriter(op->inputs[1]) * scale,
                  bias.defined() ? bias * scale + shift : shift, Tensor()};
    return op->build(before.op_name());
  });
}

}  // namespace belfry::internal
