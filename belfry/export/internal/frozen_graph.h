#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

#include "belfry/graph/node.h"
#include "belfry/graph/tensor.h"
#include "belfry/runtime/session.h"

namespace belfry::internal {

/// What some outputs need of a session's graph, with the variables' values: what every exporter writes.
struct FrozenGraph {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  /// Calls of operators that an input flows into, inputs first.
  std::vector<const Node*> nodes;
  /// Tensors that no input flows into, as far as `nodes` and `outputs` refer to them: contiguous, on the CPU.
  std::vector<std::pair<Tensor, at::Tensor>> values;

  /// The input, output of a node, or value that `tensor` stands for: looks through identities and through
  /// placeholders to their defaults.
  Tensor source(const Tensor& tensor) const;
};

/// `who`, the function called, begins messages. Throws UsageError for a repeated input, a placeholder that is
/// needed and not among `inputs`, and for nodes that are not inference: random numbers, writes, gradients,
/// control dependencies.
FrozenGraph freeze(const std::string& who, Session& session, const std::vector<Fetch>& inputs,
                   const std::vector<Fetch>& outputs);

/// "conv0/output", or "split:1" for another output than the first: the name of a tensor in exported files.
std::string public_name(const Tensor& tensor);

/// "node 'tower/conv0/output', operator aten::sort, scope 'tower/conv0'"
std::string locate(const Node& node);

}  // namespace belfry::internal
