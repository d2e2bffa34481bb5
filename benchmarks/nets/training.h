#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/runtime/session.h"
#include "belfry/step/compiled_step.h"

namespace belfry::benchmarks {

struct TrainingOptions {
  std::string net;  ///< of benchmarks/peers/training_nets.py
  int64_t batch = 1;
  bool dropout = true;
  StepOptions step = {};
};

/// A net of benchmarks/peers/training_nets.py with its first weights, a constant batch and its optimizer:
/// what a step of training does, without a trainer. In several processes (world_size()) gradients are those
/// of all, and each step says whether there is a next, as DistributedTrainer's do.
class Training {
 public:
  /// Throws UsageError for an unknown net.
  explicit Training(const TrainingOptions& options);

  /// Forward, backward, updates and moving averages. Returns the losses before the updates, one for each
  /// cost.
  std::vector<double> step();
  bool has_dropout() const { return has_dropout_; }
  /// See least_work.h.
  int64_t work() const { return work_; }
  /// The compiled parts of a step.
  std::vector<ProfiledStep> profile();

 private:
  struct Part {
    CompiledStep run;
    std::vector<at::Tensor> feeds;
  };
  struct Cost;

  std::vector<Cost> build_classifier(const TrainingOptions& options);
  std::vector<Cost> build_language_model(const TrainingOptions& options);
  std::vector<Cost> build_dcgan(const TrainingOptions& options);

  std::unique_ptr<Graph> graph_ = std::make_unique<Graph>();
  std::unique_ptr<Session> session_;
  std::vector<Part> parts_;
  std::function<void()> wait_for_others_;
  int64_t work_ = 0;
  bool has_dropout_;
};

}  // namespace belfry::benchmarks
