#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

/// What a function has besides its inputs: a value that stays the same from call to call.
struct Weight {
  Tensor tensor;           ///< a placeholder of the function's graph
  std::string name;        ///< of the variable, or of the tensor that the value stands for: "conv0/W"
  Variable variable = {};  ///< whose value it is; none where it is computed from variables or constants
  at::Tensor value = {};   ///< on the CPU and dense, in a frozen function; none where variables have it
};

/// An inference graph as a value: what is compiled, exported, drawn and counted. Its nodes compute outputs
/// from inputs and weights alone: nothing draws random numbers, writes, or waits for control dependencies.
struct Function {
  /// Null where the nodes belong to a graph of somebody else's.
  std::shared_ptr<Graph> graph;
  std::vector<Tensor> inputs;
  std::vector<Weight> weights;
  std::vector<Tensor> outputs;
  /// What inputs and outputs are called outside: "prob", or "split:1" for another output than the first.
  std::vector<std::string> input_names, output_names;

  /// The nodes that outputs are computed with from inputs and weights, in the order of the work.
  std::vector<const Node*> calls() const;
};

/// The part of a graph that computes `outputs` for given `inputs`, which may be any tensors of it, copied.
/// Variables become weights; identities are left out, and placeholders that are not fed replaced by their
/// defaults. nullopt where the part is no function; `trouble`, where given, then says which node is to blame
/// and why.
std::optional<Function> extract_function(const std::vector<Tensor>& inputs,
                                         const std::vector<Tensor>& outputs, std::string* trouble = nullptr);

/// The nodes that no input flows into: weights, constants, and what is computed from these alone.
std::unordered_set<const Node*> independent_nodes(const Function& function);

/// "conv0/output", or "split:1" for another output than the first: the name of a tensor outside of its graph.
std::string public_name(const Tensor& tensor);
/// A public name as one that a node may have: "split.1" for "split:1".
std::string node_name(std::string public_name);
/// "node 'tower/conv0/output', operator aten::sort, scope 'tower/conv0'"
std::string describe_place(const Node& node);

}  // namespace belfry
