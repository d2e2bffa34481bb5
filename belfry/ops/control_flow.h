#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

// Control flow: nodes that hold functions. The functions that are given here are called once each, to build
// the nodes of a branch or of a loop's body under the node's name scope; a run decides which of them it runs,
// and how often. They may use any tensor of the graph around them, and get or create variables, which are the
// graph's like any others. They must not write variables, take gradients, leave update operations or
// summaries in a collection, or wait for control dependencies: UsageError says which node does. Random
// numbers come from a generator of the control-flow node.
//
// Gradients flow through all of them, to what the functions use from around them too. A loop keeps what its
// gradient needs of every iteration.
//
// Each result has one dtype and rank, whichever way a run goes; a size that may differ is dynamic.

/// What a branch computes.
using Branch = std::function<std::vector<Tensor>()>;

/// The results of `then_fn` where `predicate` (a bool scalar) is true, else those of `else_fn`; the other is
/// not run. Both give as many tensors, at least one, of the same dtypes and ranks.
std::vector<Tensor> cond(const Tensor& predicate, const Branch& then_fn, const Branch& else_fn,
                         const std::string& name = "");
/// As above, of one result.
Tensor cond(const Tensor& predicate, const std::function<Tensor()>& then_fn,
            const std::function<Tensor()>& else_fn, const std::string& name = "");

struct WhileLoopOptions {
  /// The loop ends after as many iterations; -1: no limit.
  int64_t maximum_iterations = -1;
  /// What shapes the variables have before and after each iteration, one for each; empty: those of their
  /// first values. A size that an iteration may change is kDynamic.
  std::vector<Shape> shape_invariants = {};
};

/// From variables to the condition for another iteration: a bool scalar.
using LoopCondition = std::function<Tensor(const std::vector<Tensor>& variables)>;
/// From variables to their next values: as many, of the same dtypes, and of shapes that fit the invariants.
using LoopBody = std::function<std::vector<Tensor>(const std::vector<Tensor>& variables)>;

/// The variables after as many iterations of `body` as `condition` asks for, which may be none.
std::vector<Tensor> while_loop(const LoopCondition& condition, const LoopBody& body,
                               const std::vector<Tensor>& variables, const WhileLoopOptions& options = {},
                               const std::string& name = "");

/// `fn` of each element of `elems` along dimension 0, which all of them have alike, stacked along dimension
/// 0. The results of `fn` have the same shapes for each element.
std::vector<Tensor> map_fn(const std::function<std::vector<Tensor>(const std::vector<Tensor>& elems)>& fn,
                           const std::vector<Tensor>& elems, const std::string& name = "");
/// As above, of one tensor to one.
Tensor map_fn(const std::function<Tensor(const Tensor& elem)>& fn, const Tensor& elems,
              const std::string& name = "");

struct ScanOptions {
  /// From the last element to the first; results stay at the places of their elements.
  bool reverse = false;
};

/// What `fn` makes of an accumulator and the elements of one place along dimension 0 of `elems`, place by
/// place, stacked along dimension 0: running sums, recurrent networks. The first accumulator is
/// `initializer`; `fn` keeps the number, dtypes and shapes of the accumulators.
std::vector<Tensor> scan(const std::function<std::vector<Tensor>(const std::vector<Tensor>& accumulators,
                                                                 const std::vector<Tensor>& elems)>& fn,
                         const std::vector<Tensor>& elems, const std::vector<Tensor>& initializer,
                         const ScanOptions& options = {}, const std::string& name = "");
/// As above, of one accumulator and one tensor of elements.
Tensor scan(const std::function<Tensor(const Tensor& accumulator, const Tensor& elem)>& fn,
            const Tensor& elems, const Tensor& initializer, const ScanOptions& options = {},
            const std::string& name = "");
/// As above; the first element is the first accumulator and, as it is, the first result.
Tensor scan(const std::function<Tensor(const Tensor& accumulator, const Tensor& elem)>& fn,
            const Tensor& elems, const ScanOptions& options = {}, const std::string& name = "");

}  // namespace belfry
