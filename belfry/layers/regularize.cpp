#include "belfry/layers/regularize.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <regex>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/ops/loss.h"
#include "belfry/ops/math.h"
#include "belfry/ops/reduce.h"
#include "belfry/ops/state.h"

namespace belfry {
namespace {

Tensor no_cost(const std::string& name) {
  return constant(0.0, kFloat32, "empty_" + name);
}

/// Members of a collection that this tower answers for.
std::vector<Tensor> members(const TowerContext& tower, const char* collection) {
  return tower.has_own_variables() ? tower.collection_in_tower(collection)
                                   : default_graph().collection(collection);
}

Tensor as_float32(const Tensor& loss) {
  return loss.dtype() == kFloat32 ? loss : cast(loss, kFloat32);
}

}  // namespace

Regularizer l2_regularizer(double scale) {
  return [scale](const Tensor& variable) { return l2_loss(variable) * scale; };
}

Regularizer l1_regularizer(double scale) {
  return [scale](const Tensor& variable) { return sum(abs(variable)) * scale; };
}

Tensor regularize_cost(const std::string& regex, const Regularizer& regularizer, const std::string& name) {
  std::regex pattern;
  try {
    pattern = regex;
  } catch (const std::regex_error& e) {
    throw UsageError(
        fmt::format("[regularize_cost] expected a regular expression, got '{}': {}", regex, e.what()));
  }
  if (regex.empty()) throw UsageError("[regularize_cost] expected a regular expression, got an empty one");
  const TowerContext& tower = current_tower_context("regularize_cost");
  if (!tower.is_training()) return no_cost(name);

  std::vector<std::string> names;
  std::vector<Tensor> costs;
  {
    NameScope scope(name + "_internals");
    for (const Tensor& variable : members(tower, kTrainableVariables)) {
      if (!std::regex_search(variable.op_name(), pattern)) continue;
      costs.push_back(as_float32(regularizer(variable)));
      names.push_back(variable.op_name());
    }
  }
  log_info("regularize_cost('{}') found {} variables: {}", regex, names.size(), fmt::join(names, ", "));
  return costs.empty() ? no_cost(name) : add_n(costs, name);
}

Tensor regularize_cost_from_collection(const std::string& name) {
  const TowerContext& tower = current_tower_context("regularize_cost_from_collection");
  if (!tower.is_training()) return no_cost(name);
  std::vector<Tensor> costs;
  for (const Tensor& loss : members(tower, kRegularizationLosses)) costs.push_back(as_float32(loss));
  if (costs.empty()) return no_cost(name);
  log_info("regularize_cost_from_collection found {} losses", costs.size());
  return add_n(costs, name);
}

}  // namespace belfry
