#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "belfry/graph/tensor.h"
#include "belfry/runtime/session.h"

namespace belfry {

/// Runs the steps of one session, each with a batch of its own. The last run's callable is kept: as long as
/// the same is fed and fetched, as in nearly all steps of a training, a step looks nothing up.
class StepRunner {
 public:
  /// Runs `fetches` with one value of `batch` for each of `feeds`. Throws as Session::make_callable and
  /// Callable do. Requires: all calls are with the same session.
  std::vector<at::Tensor> run(Session& session, const std::vector<Tensor>& feeds,
                              const std::vector<Tensor>& fetches, const std::vector<at::Tensor>& batch);

 private:
  bool is_prepared_ = false;
  std::vector<Tensor> feeds_, fetches_;
  Callable callable_;
};

}  // namespace belfry
