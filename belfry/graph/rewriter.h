#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "belfry/graph/function.h"

namespace belfry {

/// Copies a function node by node while a rule puts other nodes in the place of some. What nobody needs any
/// more is not copied, so that what takes its place can have its name.
class Rewriter {
 public:
  /// Gives the tensor of the new graph that replaces the (only) output of `node`, a node of the old one, or
  /// none to have it copied. Nodes built by a rule get into the new graph.
  using Rule = std::function<Tensor(const Node& node)>;

  /// `source` must outlive it.
  explicit Rewriter(const Function& source);
  /// As above; the inputs of the new function have these shapes, and what follows from them is inferred anew.
  Rewriter(const Function& source, const std::vector<Shape>& input_shapes);

  /// Visits the nodes that the outputs need, inputs first, and returns the new function. Call once.
  Function run(const Rule& rule);
  /// Copies all of them.
  Function run() {
    return run([](const Node&) { return Tensor(); });
  }

  // For rules:

  /// The new tensor for an old one whose node was visited; none for none.
  Tensor operator()(const Tensor& old);
  /// Puts a new tensor in the place of an old one, of a node that a rule replaces and that has more outputs
  /// than one.
  void define(const Tensor& old, const Tensor& replacement) { map_[old] = replacement; }
  /// How many inputs and outputs of the old function refer to a tensor.
  int64_t uses(const Tensor& old) const;
  /// A copy of `node` with its inputs mapped, or with the given ones.
  const Node& copy(const Node& node);
  const Node& copy(const Node& node, std::vector<Tensor> inputs) {
    return result_.graph->add_copy(node, std::move(inputs));
  }

 private:
  const Function& source_;
  Function result_;
  std::vector<const Node*> needed_;
  std::unordered_map<Tensor, int64_t> uses_;
  std::unordered_map<Tensor, Tensor> map_;
  std::unordered_set<const Node*> copied_;
  std::unordered_set<const Node*> differentiated_;  ///< by a gradients node: no rule may replace them
};

/// A function in two: what it computes from its weights and constants alone, and the rest.
struct SplitFunction {
  Function preparation;  ///< inputs: the weights; outputs: the weights of the rest
  Function rest;
};
/// Tensors that follow from no input stay in the rest where `stays` says so.
SplitFunction split_off_constants(
    const Function& function,
    const std::function<bool(const Tensor&)>& stays = [](const Tensor&) { return false; });

}  // namespace belfry
