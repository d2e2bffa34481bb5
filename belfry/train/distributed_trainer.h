#pragma once

#include "belfry/train/reduce_gradients.h"
#include "belfry/train/single_cost_trainer.h"

namespace belfry {

struct DistributedTrainerOptions {
  ReductionOptions reduction = {};
  /// At the end of each epoch all get the variables of rank 0 again: those that each rank updates for itself,
  /// such as moving averages, differ.
  bool broadcast_every_epoch = true;
  /// Of a `TrainConfig::dataflow` each rank takes every world_size-th datapoint (batch), so that a pass is a
  /// pass of all together. False, or with `TrainConfig::data`: each takes all that it is given.
  bool share_data = true;
  /// kCUDA: each process computes on the GPU of its local_rank, for which StagingInput copies a dataflow's
  /// values.
  c10::DeviceType device = c10::kCPU;
  StepOptions step = {};
};

/// One process for each device, as tensorpack's HorovodTrainer and SyncMultiGPUTrainerReplicated: all take
/// the same steps with batches of their own, and apply the gradients of all. One batch of the config is the
/// batch of one process.
///
///     launch_train_with_config(config, DistributedTrainer());  // torchrun --nproc-per-node 4 --no-python
///     ./train
///
/// The processes are those of process_group(); started by itself, a program is one process, and this trainer
/// a SimpleTrainer. Rank 0 is the chief: it restores and saves, and what it begins with all begin with.
/// Callbacks for the chief alone (Callback::chief_only) run there; InferenceRunner divides its data among all
/// ranks, and all get the same results. Errors: TowerTrainer::train_in_all_processes, and ProcessGroup's.
class DistributedTrainer : public SingleCostTrainer {
 public:
  /// Throws UsageError where this process is to compute on a GPU that the machine, or LibTorch, does not
  /// have.
  explicit DistributedTrainer(const DistributedTrainerOptions& options = {});

  Shared<InputSource> make_input(AnyDataFlow dataflow) const override;

 protected:
  c10::Device device() const override;
  Tensor build_train_op(const OptimizerFunc& get_optimizer) override;

 private:
  DistributedTrainerOptions options_;
};

}  // namespace belfry
