#include "belfry/distributed/collectives.h"

#include <string_view>
#include <unordered_set>

#include "belfry/graph/node.h"
#include "belfry/ops/call.h"

namespace belfry {

Tensor all_reduce(const Tensor& x, ReduceOp op, const std::string& name) {
  return call("belfry::all_reduce", {x}, {{"op", to_string(op)}}, name);
}
Tensor all_gather(const Tensor& x, const std::string& name) {
  return call("belfry::all_gather", {x}, {}, name);
}
Tensor broadcast(const Tensor& x, int root, const std::string& name) {
  return call("belfry::broadcast", {x}, {{"root", root}}, name);
}
Tensor reduce_scatter(const Tensor& x, ReduceOp op, const std::string& name) {
  return call("belfry::reduce_scatter", {x}, {{"op", to_string(op)}}, name);
}
Tensor all_reduce_start(const Tensor& x, ReduceOp op, const std::string& name) {
  return call("belfry::all_reduce_start", {x}, {{"op", to_string(op)}}, name);
}
Tensor all_reduce_wait(const Tensor& started, const std::string& name) {
  return call("belfry::all_reduce_wait", {started}, {}, name);
}

bool is_collective(const Node& node) {
  static const std::unordered_set<std::string_view> names = {"belfry::all_reduce", "belfry::all_gather",
                                                             "belfry::broadcast", "belfry::reduce_scatter",
                                                             "belfry::all_reduce_start"};
  return names.contains(node.op_name());
}

}  // namespace belfry
