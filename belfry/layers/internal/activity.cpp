#include "belfry/layers/internal/activity.h"

#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/tower.h"
#include "belfry/ops/array.h"
#include "belfry/ops/math.h"

namespace belfry::internal {

Tensor activate(const Tensor& y, const Activation& activation, const Regularizer& regularizer) {
  const Tensor output = activation(y);
  const TowerContext* tower = current_tower_context_or_null();
  if (!regularizer || (tower && !tower->is_training())) return output;
  NameScope scope("ActivityRegularizer");
  const Tensor loss = regularizer(output);
  if (!loss.defined()) return output;
  const Tensor batch_size = cast(select(shape(output), 0), loss.dtype());
  default_graph().add_to_collection(kRegularizationLosses, loss / batch_size);
  return output;
}

}  // namespace belfry::internal
