#include "belfry/graph/variable_getter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/build_context.h"
#include "belfry/graph/node.h"

// tensorpack/tfutils/varreplace.py is where the three guards come from, and TensorFlow's custom getters where
// their nesting does.

namespace belfry {
namespace {

CustomGetter remapping(std::function<Tensor(const Variable&)> fn) {
  if (!fn) throw UsageError("[RemapVariables] expected a function of a variable, got null");
  return [fn = std::move(fn)](const VariableGetter& getter, const VariableRequest& request) {
    const Variable variable = getter(request);
    const Tensor seen = fn(variable);
    if (!seen.defined())
      throw UsageError(fmt::format("[RemapVariables] expected a tensor for '{}', got none", request.name));
    return variable.seen_as(seen);
  };
}

void add_to_model_variables(const Variable& variable) {
  Graph& graph = variable.tensor().graph();
  if (!std::ranges::count(graph.collection(kModelVariables), variable.tensor()))
    graph.add_to_collection(kModelVariables, variable.tensor());
}

CustomGetter freezing(FreezeVariables::Options options) {
  return [options](const VariableGetter& getter, const VariableRequest& request) {
    VariableRequest frozen = request;
    if (options.skip_collection) frozen.options.trainable = false;
    const Variable variable = getter(frozen);
    if (!request.options.trainable) return variable;
    if (options.skip_collection) add_to_model_variables(variable);
    if (!options.stop_gradient) return variable;
    return variable.seen_as(
        default_graph().add("aten::detach", {variable.seen()}, {}, "freezed_" + request.name).output());
  };
}

}  // namespace

CustomGetterScope::CustomGetterScope(CustomGetter getter) {
  if (!getter) throw UsageError("[CustomGetterScope] expected a getter, got null");
  auto& context = internal::build_context();
  context.getters = std::make_shared<const internal::GetterInScope>(
      internal::GetterInScope{std::move(getter), context.getters});
}

RemapVariables::RemapVariables(std::function<Tensor(const Variable&)> fn)
    : CustomGetterScope(remapping(std::move(fn))) {}

FreezeVariables::FreezeVariables() : FreezeVariables(Options{}) {}
FreezeVariables::FreezeVariables(Options options) : CustomGetterScope(freezing(options)) {}

}  // namespace belfry
