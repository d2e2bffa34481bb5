#include "belfry/graph/rewriter.h"
#include "belfry/inference/internal/fused_op.h"
#include "belfry/ops/call.h"
#include "belfry/step/internal/step_passes.h"

namespace belfry::internal {
Function sink_relu_gradients(const Function& graph) {
  Rewriter rewriter(graph);
  return rewriter.run([&](const Node& node) -> Tensor {
    if (!is_call(node, "aten::threshold_backward") || node.attribute("threshold").toScalar().toDouble() != 0)
      return {};
    const Tensor gradient = input_named(node, "grad_output"), y = input_named(node, "self");
    const Node& unpool = gradient.node();
    if (!is_call(unpool, "belfry::max_pool2d_backprop") || rewriter.uses(gradient) > 1) return {};
    const Node& pool = input_named(unpool, "indices").node();
    if (!is_call(pool, "belfry::max_pool2d_with_indices") || pool.inputs()[0] != y) return {};
    const Tensor sunk =
        call("aten::threshold_backward", {rewriter(unpool.inputs()[0]), rewriter(pool.output(0))},
             {{"threshold", 0}}, node.name());
    return rewriter.copy(unpool, {sunk, rewriter(unpool.inputs()[1])}).output();
  });
}

}  // namespace belfry::internal
