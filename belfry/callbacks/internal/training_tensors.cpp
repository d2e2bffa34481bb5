#include "belfry/callbacks/internal/training_tensors.h"

#include "belfry/graph/tower.h"
#include "belfry/loop/trainer.h"

namespace belfry::internal {
namespace {

std::vector<const TowerTensorHandle*> training_towers(Trainer& trainer) {
  std::vector<const TowerTensorHandle*> result;
  if (const TowerFunc* function = trainer.tower_func()) {
    for (const TowerTensorHandle& tower : function->towers()) {
      if (tower.is_training()) result.push_back(&tower);
    }
  }
  return result;
}

}  // namespace

std::vector<Tensor> training_tensors(Trainer& trainer, const std::vector<std::string>& names) {
  const auto towers = training_towers(trainer);
  std::vector<Tensor> result;
  for (const std::string& name : names) {
    result.push_back(towers.empty() ? trainer.graph().tensor(name) : towers.front()->tensor(name));
  }
  return result;
}

std::vector<Tensor> training_outputs(Trainer& trainer) {
  std::vector<Tensor> result;
  for (const TowerTensorHandle* tower : training_towers(trainer)) {
    if (tower->output()) result.push_back(tower->output());
  }
  return result;
}

}  // namespace belfry::internal
