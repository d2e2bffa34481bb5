#pragma once

#include <string>
#include <vector>

#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"

namespace belfry {

/// While the guard lives, the operators that are called run only in runs where `condition`, a bool without
/// dimensions, is true: an update that is due every tenth step, say. They are built either way, and what they
/// read is computed either way; TensorFlow's name for a piece of a graph like this is a branch of `cond`.
///
/// A write that does not run leaves its variable, whose value it then gives. Anything else that does not run
/// has no value: only what has the same guard may read it, and a run that would do otherwise is a UsageError.
/// Guards nest. Derivatives do not look at them: what is differentiated always runs. A Function knows no
/// writes, and has none.
class RunIf {
 public:
  /// Throws UsageError for any other condition.
  explicit RunIf(const Tensor& condition, const std::string& name = "run_if");

 private:
  ControlDependencies after_condition_;
};

/// The conditions of all guards that `node` was built under.
std::vector<Tensor> conditions_of(const Node& node);

/// Throws UsageError where `node` reads the value of one that may not have run when it does.
void check_conditions_of_inputs(const Node& node);
/// Throws UsageError where a run may have no value for `fetch`.
void check_conditions_of_fetch(const Tensor& fetch);

}  // namespace belfry
