#include "belfry/graph/gradients.h"

#include <fmt/format.h>

#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"

namespace belfry {
namespace {

/// Every tensor that a gradient of `loss` flows to, itself included.
std::unordered_set<Tensor> ancestors(const Tensor& loss) {
  std::unordered_set<Tensor> seen = {loss};
  std::vector<Tensor> stack = {loss};
  while (!stack.empty()) {
    const Tensor tensor = stack.back();
    stack.pop_back();
    if (!passes_gradient(tensor)) continue;
    for (const Tensor& input : tensor.node().inputs()) {
      if (seen.insert(input).second) stack.push_back(input);
    }
  }
  return seen;
}

bool is_differentiable(const Tensor& tensor) {
  return c10::isFloatingType(tensor.dtype()) || c10::isComplexType(tensor.dtype());
}

void check_floating(const Tensor& tensor, const char* what) {
  if (!is_differentiable(tensor)) {
    throw UsageError(fmt::format("[gradients] expected a floating-point {}, got {}", what, describe(tensor)));
  }
}

}  // namespace

bool passes_gradient(const Tensor& tensor) {
  return is_differentiable(tensor) && tensor.node().op().operator_name().name != "aten::detach";
}

std::vector<Tensor> gradients(const Tensor& loss, const std::vector<Tensor>& xs,
                              const GradientsOptions& options) {
  check_floating(loss, "loss");
  if (loss.rank() != 0 && !options.grad_loss.defined()) {
    throw UsageError(fmt::format("[gradients] expected a scalar loss, or grad_loss, got {}", describe(loss)));
  }
  if (options.grad_loss.defined() && !is_compatible_with(loss.shape(), options.grad_loss.shape())) {
    throw UsageError(fmt::format("[gradients] expected grad_loss of the shape of {}, got {}", describe(loss),
                                 describe(options.grad_loss)));
  }
  const auto reachable = ancestors(loss);
  std::vector<Tensor> used;
  std::vector<std::pair<DType, Shape>> outputs;
  for (const Tensor& x : xs) {
    check_floating(x, "tensor to differentiate by");
    if (!reachable.contains(x)) continue;
    used.push_back(x);
    outputs.emplace_back(x.dtype(), x.shape());
  }
  std::vector<Tensor> result(xs.size());
  if (used.empty()) return result;
  const Node& node = default_graph().add_special(
      NodeKind::kGradients, "belfry::gradients", {},
      {{"loss", loss},
       {"grad_loss", options.grad_loss.defined() ? Attribute(options.grad_loss) : Attribute()},
       {"xs", used}},
      options.name, std::move(outputs));
  int next = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    if (reachable.contains(xs[i])) result[i] = node.output(next++);
  }
  return result;
}

}  // namespace belfry
