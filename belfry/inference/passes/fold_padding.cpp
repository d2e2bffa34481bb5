#include "belfry/inference/internal/fused_op.h"
#include "belfry/inference/internal/passes.h"

namespace belfry::internal {
namespace {

/// Rows added at the top and bottom, columns at the left and right; nullopt when `node` is anything else than
/// zeros around NHWC images.
std::optional<std::vector<int64_t>> zeros_around(const Node& node) {
  if (!is_call(node, "belfry::pad")) return std::nullopt;
  const auto pads = node.attribute("paddings").toIntVector();
  const bool around = pads.size() == 8 && !pads[0] && !pads[1] && !pads[6] && !pads[7];
  if (!around || node.attribute("mode").toStringRef() != "constant" ||
      node.attribute("value").toDouble() != 0)
    return std::nullopt;
  return std::vector(pads.begin() + 2, pads.begin() + 6);
}

}  // namespace

Function fold_padding(const Function& graph) {
  Rewriter rewriter(graph);
  return rewriter.run([&](const Node& node) -> Tensor {
    auto conv = fused_op(node);
    if (!conv || conv->op != "belfry::fused_conv2d" || conv->get<std::string>("padding") != "VALID")
      return {};
    const Node& pad = conv->inputs[0].node();
    auto pads = zeros_around(pad);
    if (!pads) return {};
    const auto own = conv->get<std::vector<int64_t>>("pads");
    for (size_t i = 0; i < own.size(); ++i) (*pads)[i] += own[i];
    conv->set("pads", *pads);
    for (Tensor& input : conv->inputs) input = rewriter(input);
    conv->inputs[0] = rewriter(pad.inputs()[0]);
    return conv->build(node.name());
  });
}

}  // namespace belfry::internal
