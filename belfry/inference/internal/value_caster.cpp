#include "belfry/inference/internal/value_caster.h"

#include <algorithm>

#include "belfry/graph/graph.h"
#include "belfry/ops/math.h"

namespace belfry::internal {

Function ValueCaster::run(const Rewriter::Rule& rule) {
  Function result = rewriter_.run(rule);
  GraphScope scope(*result.graph);
  for (size_t i = 0; i < result.outputs.size(); ++i)
    result.outputs[i] = as(result.outputs[i], source_.outputs[i].dtype());
  return result;
}

bool ValueCaster::takes_bfloat16(const Node& node) {
  return std::ranges::any_of(node.inputs(),
                             [&](const Tensor& input) { return rewriter_(input).dtype() == kBFloat16; });
}

std::vector<Tensor> ValueCaster::inputs(const Node& node, const std::function<bool(size_t)>& lower) {
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < node.inputs().size(); ++i) {
    const Tensor& old = node.inputs()[i];
    inputs.push_back(as(rewriter_(old), old.dtype() == kFloat32 && lower(i) ? kBFloat16 : old.dtype()));
  }
  return inputs;
}

Tensor ValueCaster::as(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  Tensor& known = casts_[tensor];
  if (!known.defined()) known = cast(tensor, dtype);
  return known;
}

}  // namespace belfry::internal
