#include "belfry/graph/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/build_context.h"
#include "belfry/graph/needed_nodes.h"
#include "belfry/graph/node.h"
#include "belfry/graph/rewriter.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/special_nodes.h"

// The nodes are built in the graph around the function, so that layers, scopes and variables work as
// everywhere, and then copied out. Invariant: what was built before, and each variable and foreign
// placeholder, is captured; what was built since, and each constant, is part of the function.

namespace belfry {
namespace {

/// The scopes in which a function is traced.
class TraceScope : detail::ScopeGuard {
 public:
  explicit TraceScope(const std::string& scope) {
    auto& context = internal::build_context();
    context.control_inputs.clear();
    context.gradients = nullptr;
    context.name_scope = scope;
  }
};

/// Why a function cannot hold `node`; null where it can.
const char* trouble_with(const Node& node) {
  if (node.kind() == NodeKind::kGradients) return "takes gradients";
  if (!node.control_inputs().empty()) return "waits for control dependencies";
  if (!node.mutated_inputs().empty()) return "writes a variable";
  return nullptr;
}

class Tracer {
 public:
  Tracer(const std::string& who, Graph& graph)
      : who_(who), first_(static_cast<int64_t>(graph.nodes().size())) {}

  /// Whether it is part of the function.
  bool is_inside(const Node& node) const {
    if (node.kind() == NodeKind::kConstant) return true;
    return node.id() >= first_ && node.kind() != NodeKind::kVariable && node.kind() != NodeKind::kPlaceholder;
  }

  /// What the function of these inputs and outputs takes from around it.
  std::vector<Tensor> captured(const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs) {
    std::unordered_set<Tensor> seen(inputs.begin(), inputs.end());
    std::vector<Tensor> captured;
    std::vector<Tensor> stack(outputs.rbegin(), outputs.rend());
    while (!stack.empty()) {
      const Tensor tensor = stack.back();
      stack.pop_back();
      if (!seen.insert(tensor).second) continue;
      const Node& node = tensor.node();
      if (!is_inside(node)) {
        captured.push_back(tensor);
        continue;
      }
      if (const char* trouble = trouble_with(node)) {
        throw UsageError(fmt::format("[{}] expected nodes that a function can hold, got {}, which {}", who_,
                                     describe_place(node), trouble));
      }
      stack.insert(stack.end(), node.inputs().rbegin(), node.inputs().rend());
    }
    return captured;
  }

 private:
  const std::string& who_;
  int64_t first_;
};

void check_outputs(const std::string& who, Graph& graph, const std::vector<Tensor>& outputs) {
  for (const Tensor& output : outputs) {
    if (!output.defined())
      throw UsageError(fmt::format("[{}] expected a tensor for each result, got none", who));
    if (&output.graph() != &graph)
      throw UsageError(
          fmt::format("[{}] expected results of the default graph, got '{}' of another", who, output.name()));
    if (!output.has_value())
      throw UsageError(
          fmt::format("[{}] expected results with a value, got the operation '{}'", who, output.op_name()));
  }
}

void check_collections(const std::string& who, const CollectionGuard& before) {
  for (const char* key : {kUpdateOps, kSummaries, kMovingSummaries}) {
    if (const auto added = before.added(key); !added.empty()) {
      throw UsageError(fmt::format(
          "[{}] expected no update operations and no summaries, as they run only with the function, got '{}' "
          "in the collection '{}'",
          who, added[0].op_name(), key));
    }
  }
}

}  // namespace

TracedFunction trace(const std::string& who, const std::string& scope, const std::vector<TensorSpec>& inputs,
                     const BuildFunction& build) {
  Graph& graph = default_graph();
  Tracer tracer(who, graph);
  std::vector<Tensor> outputs;
  Function source;
  {
    const TraceScope in_scope(scope);
    const CollectionGuard before(graph);
    for (const TensorSpec& spec : inputs) source.inputs.push_back(add_placeholder(spec));
    source.outputs = build(source.inputs);
    check_outputs(who, graph, source.outputs);
    check_collections(who, before);
  }
  TracedFunction traced;
  traced.captured = tracer.captured(source.inputs, source.outputs);
  source.inputs.insert(source.inputs.end(), traced.captured.begin(), traced.captured.end());
  for (const Tensor& input : source.inputs) source.input_names.push_back(public_name(input));
  for (const Tensor& output : source.outputs) source.output_names.push_back(public_name(output));
  Rewriter rewriter(source);
  Function function = rewriter.run([&](const Node& node) {
    return node.kind() == NodeKind::kIdentity ? rewriter(node.inputs()[0]) : Tensor();
  });
  traced.is_random =
      std::ranges::any_of(function.calls(), [](const Node* node) { return node->is_random(); });
  traced.function = std::make_shared<const Function>(std::move(function));
  return traced;
}

std::string free_name(std::string_view op, const std::string& name) {
  return default_graph().unique_name(internal::wanted_name(op, name), /*mark=*/false);
}

}  // namespace belfry
