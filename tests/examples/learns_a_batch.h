#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/belfry.h"
#include "tests/support/temp_dir.h"

namespace belfry::test {

/// The cost of each step of a training on one batch, from the same weights in each run.
inline std::vector<double> costs_on_one_batch(TrainableModel model, const std::string& cost,
                                              const Datapoint& batch, int64_t steps) {
  TempDir dir;
  std::vector<double> costs;
  SimpleTrainer trainer;
  trainer.graph().set_seed(1);
  const DataFromList data(std::vector<Datapoint>(static_cast<size_t>(steps), batch));
  launch_train_with_config(
      {.model = std::move(model),
       .data = QueueInput(data),
       .steps_per_epoch = steps,
       .max_epoch = 1,
       .callbacks = callbacks(ProcessTensors(
           {cost}, [&](const std::vector<at::Tensor>& v) { costs.push_back(v[0].item<double>()); })),
       .monitors = std::vector<std::shared_ptr<Monitor>>{},
       .log_dir = dir.path()},
      trainer);
  return costs;
}

/// Expects the cost to fall while a model sees the same batch again and again: in the second half of the
/// steps it has been below the first, though an example's learning rate, with dropout, may throw it about on
/// so few images.
inline void expect_falls(TrainableModel model, const std::string& cost, const Datapoint& batch,
                         int64_t steps = 12) {
  const std::vector<double> costs = costs_on_one_batch(std::move(model), cost, batch, steps);
  ASSERT_EQ(costs.size(), static_cast<size_t>(steps));
  EXPECT_LT(*std::min_element(costs.begin() + steps / 2, costs.end()), costs.front());
}

}  // namespace belfry::test
