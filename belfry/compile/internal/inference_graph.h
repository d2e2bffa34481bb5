#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/needed_nodes.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// The graph that is compiled: a pruned copy of what some fetches need, with variables as placeholders.
/// Passes make a new one of it.
struct InferenceGraph {
  std::unique_ptr<Graph> graph = std::make_unique<Graph>();
  std::vector<Tensor> feeds;    ///< placeholders for what changes with each call
  std::vector<Tensor> weights;  ///< placeholders for what changes when variables do
  std::vector<Tensor> fetches;
};

/// Copies a graph node by node while a rule puts other nodes in the place of some. What nobody needs any more
/// is not copied, so that what takes its place can have its name.
class Rewriter {
 public:
  /// Gives the tensor of the new graph that replaces the (only) output of `node`, a node of the old one, or
  /// none to have it copied. Nodes built by a rule get into the new graph.
  using Rule = std::function<Tensor(const Node& node)>;

  explicit Rewriter(const InferenceGraph& source);
  /// As above; the feeds of the new graph have these shapes, and what follows from them is inferred anew.
  Rewriter(const InferenceGraph& source, const std::vector<Shape>& feed_shapes);

  /// Visits the nodes that the fetches need, inputs first, and returns the new graph. Call once.
  InferenceGraph run(const Rule& rule);

  // For rules:

  /// The new tensor for an old one whose node was visited; none for none.
  Tensor operator()(const Tensor& old);
  /// How many inputs and fetches of the old graph refer to a tensor.
  int64_t uses(const Tensor& old) const;
  /// A copy of `node` with its inputs mapped, or with the given ones.
  const Node& copy(const Node& node);
  const Node& copy(const Node& node, std::vector<Tensor> inputs) {
    return result_.graph->add_copy(node, std::move(inputs));
  }

 private:
  void add_placeholder(const Tensor& old, const Shape& shape, std::vector<Tensor>& to);

  const InferenceGraph& source_;
  InferenceGraph result_;
  std::vector<const Node*> needed_;
  std::unordered_map<Tensor, int64_t> uses_;
  std::unordered_map<Tensor, Tensor> map_;
};

/// What is compiled for `fetches` of a session's graph. The variables behind InferenceGraph::weights come in
/// the same order. Identities are left out, placeholders that are not fed replaced by their defaults. nullopt
/// where only the ordinary plan can run it: random numbers, writes, gradients, another device, control
/// dependencies or fetches without a value.
struct Extracted {
  InferenceGraph graph;
  std::vector<Variable> variables;
};
std::optional<Extracted> extract(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches);

/// A placeholder at the root of `graph`, which is the default one.
Tensor add_placeholder(Graph& graph, const std::string& name, DType dtype, const Shape& shape);

/// The nodes that no feed flows into: the weights, constants, and what is computed from these alone.
std::unordered_set<const Node*> independent_nodes(const InferenceGraph& graph);

/// The input that `node` has for the schema's argument of that name; none where it has none.
Tensor input_named(const Node& node, std::string_view argument);

}  // namespace belfry
