#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/graph/node.h"

namespace belfry::internal {

/// What a run with writes and gradients computes, in parts that run one after the other.
struct StepFunction {
  /// Everything that depends on no write: a function of static shapes, whose weights are variables. Gradients
  /// are ordinary nodes in it. It may draw random numbers.
  Function head;
  /// The nodes of the head that draw numbers, by name: whose generator they use.
  std::unordered_map<std::string, const Node*> random;
  /// What gives no value and takes none from a write, but may refuse the run: assertions.
  std::vector<const Node*> checks;
  /// The writes and what depends on them: nodes of the session's graph, in order.
  std::vector<const Node*> tail;
  /// Where checks, tail and fetches find tensors of the session's graph: places in head.outputs.
  std::unordered_map<Tensor, size_t> from_head;
};

/// Takes a run of a session's graph apart, for feeds of these shapes. nullopt where it has no such form, and
/// why: gradients after a write, for one. Throws what planning the run does.
std::optional<StepFunction> make_step_function(const std::vector<Tensor>& feeds,
                                               const std::vector<Tensor>& fetches,
                                               const std::vector<Shape>& feed_shapes, std::string* trouble);

}  // namespace belfry::internal
