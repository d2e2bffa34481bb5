#include "belfry/train/distributed_trainer.h"

#include <ATen/Context.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/dataflow/split_data.h"
#include "belfry/distributed/process_group.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/input/queue_input.h"
#include "belfry/input/staging_input.h"
#include "belfry/optim/gradient_processor.h"

namespace belfry {
namespace {

/// LibTorch itself says so at the first kernel, in a hundred lines.
void check_gpu(int64_t index) {
  const auto count = at::hasCUDA() ? static_cast<int64_t>(at::getNumGPUs()) : 0;
  if (index >= count) {
    throw UsageError(
        fmt::format("[DistributedTrainer] expected a GPU for the process of local rank {}, got {} of them",
                    index, count));
  }
}

}  // namespace

DistributedTrainer::DistributedTrainer(const DistributedTrainerOptions& options)
    : SingleCostTrainer(options.step), options_(options) {
  log_info("[DistributedTrainer] rank {} of {}, local rank {}", rank(), world_size(), local_rank());
  if (options.device == c10::kCUDA) check_gpu(local_rank());
  train_in_all_processes(
      {.broadcast_every_epoch = options.broadcast_every_epoch, .shared_data = options.share_data});
}

Shared<InputSource> DistributedTrainer::make_input(AnyDataFlow dataflow) const {
  if (options_.share_data && world_size() > 1)
    dataflow = SplitData(std::move(dataflow), {.part = rank(), .num_part = world_size()});
  if (options_.device == c10::kCPU) return QueueInput(std::move(dataflow));
  return StagingInput(QueueInput(std::move(dataflow)), device());
}

c10::Device DistributedTrainer::device() const {
  if (options_.device == c10::kCPU) return SingleCostTrainer::device();
  return {options_.device, static_cast<c10::DeviceIndex>(local_rank())};
}

Tensor DistributedTrainer::build_train_op(const OptimizerFunc& get_optimizer) {
  const Tensor cost = build_cost();
  std::unique_ptr<Optimizer> given = get_optimizer();
  if (!given) throw UsageError("[DistributedTrainer] expected an optimizer from the model, got null");
  const std::unique_ptr<Optimizer> optimizer = distributed_optimizer(std::move(given), options_.reduction);
  const GradientsAndVariables gradients = FilterNoneGrad().process(optimizer->compute_gradients(cost));
  return optimizer->apply_gradients(gradients, {.global_step = {}, .name = "train_op"});
}

}  // namespace belfry
