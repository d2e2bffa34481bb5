#pragma once

#include <functional>
#include <string>

#include "belfry/graph/scope.h"
#include "belfry/graph/tensor.h"
#include "belfry/graph/variable.h"

namespace belfry {

// Variables seen differently below a scope. These guards act on every get_variable, that of layers included,
// while they live; the variables themselves, their names and what a checkpoint holds stay as they are. What
// reads a variable by other ways, by name, by a collection, or before the guard, does not see it: weight
// decay is of the variable.

/// A call of get_variable.
struct VariableRequest {
  std::string name;  ///< the full one: "conv0/W"
  Shape shape;
  VariableOptions options;
};

/// Gets the variable that is asked for.
using VariableGetter = std::function<Variable(const VariableRequest& request)>;
/// Stands in the place of get_variable: calls `getter`, with the request as it is or another, and returns its
/// result, or what is to be seen in its place: `getter(request).seen_as(quantized)`.
using CustomGetter = std::function<Variable(const VariableGetter& getter, const VariableRequest& request)>;

/// Puts `getter` in the place of get_variable while the guard lives. Of nested ones the inner is asked first,
/// and its `getter` asks the outer. A request under another name than the one asked for is a UsageError.
class CustomGetterScope : detail::ScopeGuard {
 public:
  explicit CustomGetterScope(CustomGetter getter);
};

/// `fn(variable)` is seen in the place of each variable: `RemapVariables quantized(quantize);`.
class RemapVariables : CustomGetterScope {
 public:
  explicit RemapVariables(std::function<Tensor(const Variable& variable)> fn);
};

/// Keeps the variables below from being trained.
class FreezeVariables : CustomGetterScope {
 public:
  struct Options {
    /// What is seen of each trainable variable passes no gradient to it. The variable stays trainable, and
    /// has gradients where it is read in other ways: by weight decay, or outside of the guard.
    bool stop_gradient = true;
    /// Trainable variables that are created below are not trainable, and are members of kModelVariables
    /// instead of kTrainableVariables.
    bool skip_collection = false;
  };
  FreezeVariables();
  explicit FreezeVariables(Options options);
};

}  // namespace belfry
