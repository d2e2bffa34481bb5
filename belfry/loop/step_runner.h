#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <list>
#include <vector>

#include "belfry/graph/tensor.h"

namespace belfry {

/// Runs steps, each with a batch of its own. What was prepared for the last few combinations of feeds and
/// fetches is kept: callbacks that want more every tenth step, say, cost nothing but the comparison.
class StepRunner {
 public:
  /// Takes one value for each feed and returns one for each fetch.
  using Run = std::function<std::vector<at::Tensor>(const std::vector<at::Tensor>&)>;
  using Prepare = std::function<Run(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches)>;

  explicit StepRunner(Prepare prepare) : prepare_(std::move(prepare)) {}

  /// Runs `fetches` with one value of `batch` for each of `feeds`. Throws what preparing and running do.
  std::vector<at::Tensor> run(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches,
                              const std::vector<at::Tensor>& batch);

 private:
  static constexpr size_t kMostKept = 8;
  struct Prepared {
    std::vector<Tensor> feeds, fetches;
    Run run;
  };

  Prepare prepare_;
  std::list<Prepared> prepared_;  ///< most recently used first
};

}  // namespace belfry
