#include "nets/least_work.h"

#include <algorithm>
#include <functional>
#include <map>

#include "belfry/cli/flops.h"
#include "belfry/graph/node.h"

namespace belfry::benchmarks {

int64_t least_work(const Tensor& cost, const std::vector<Variable>& variables) {
  int64_t total = 0;
  std::map<const Node*, bool> depends;
  const std::function<bool(const Node&)> visit = [&](const Node& node) {
    if (const auto known = depends.find(&node); known != depends.end()) return known->second;
    bool result = std::any_of(variables.begin(), variables.end(),
                              [&](const Variable& variable) { return &variable.tensor().node() == &node; });
    int64_t factors = 0;
    for (const Tensor& input : node.inputs()) {
      if (!visit(input.node())) continue;
      result = true;
      factors += input.rank() > 1;  // not a bias
    }
    // Attention has three factors, and is two products; flops_of counts both.
    if (cli::is_product(node)) total += cli::flops_of(node) * (1 + std::min<int64_t>(factors, 2));
    return depends[&node] = result;
  };
  visit(cost.node());
  return total;
}

}  // namespace belfry::benchmarks
