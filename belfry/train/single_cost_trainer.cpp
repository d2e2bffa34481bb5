#include "belfry/train/single_cost_trainer.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/input/queue_input.h"
#include "belfry/optim/gradient_processor.h"

namespace belfry {

void SingleCostTrainer::setup_graph(TowerFunc get_cost, Shared<InputSource> input,
                                    const OptimizerFunc& get_optimizer) {
  GraphScope as_default(graph(), device());
  if (!get_optimizer)
    throw UsageError("[SingleCostTrainer] expected a function that makes an optimizer, got none");
  set_tower_func(std::move(get_cost));
  set_input(std::move(input));
  set_train_op(build_train_op(get_optimizer));
}

c10::Device SingleCostTrainer::device() const {
  return current_device();
}

Shared<InputSource> SingleCostTrainer::make_input(AnyDataFlow dataflow) const {
  return QueueInput(std::move(dataflow));
}

Tensor SingleCostTrainer::build_cost() {
  const Tensor cost = build_training_tower();
  if (!cost) throw UsageError("[SingleCostTrainer] expected a cost from the tower function, got none");
  if (cost.rank() != 0)
    throw UsageError(fmt::format("[SingleCostTrainer] expected a scalar cost, got {}", describe(cost)));
  return cost;
}

void SingleCostTrainer::run_step() {
  if (!train_op()) throw UsageError("[SingleCostTrainer] expected setup_graph before training");
  TowerTrainer::run_step();
}

Tensor SimpleTrainer::build_train_op(const OptimizerFunc& get_optimizer) {
  const Tensor cost = build_cost();
  const std::unique_ptr<Optimizer> optimizer = get_optimizer();
  if (!optimizer) throw UsageError("[SimpleTrainer] expected an optimizer from the model, got null");
  const GradientsAndVariables gradients = FilterNoneGrad().process(optimizer->compute_gradients(cost));
  return optimizer->apply_gradients(gradients, {.global_step = {}, .name = "train_op"});
}

}  // namespace belfry
