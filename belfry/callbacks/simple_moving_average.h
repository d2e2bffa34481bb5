#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

/// Puts the mean of scalars over the last `window_size` steps to the monitors, as "<name>/SMA", after every
/// step whose global_step is a multiple of that.
class SimpleMovingAverage : public Callback {
 public:
  /// `names`: as get_tensors_maybe_in_tower takes them. Throws UsageError unless the window has a step.
  SimpleMovingAverage(std::vector<std::string> names, int64_t window_size);

  std::string name() const override { return "SimpleMovingAverage"; }
  /// Throws UsageError when a name is not found, or is no scalar.
  void setup_graph() override;
  std::vector<Tensor> before_run() override { return fetches_; }
  void after_run(const std::vector<at::Tensor>& values) override;
  void trigger_step() override;

 private:
  std::vector<std::string> names_;
  size_t window_size_;
  std::vector<Tensor> fetches_;
  std::deque<std::vector<double>> window_;
};

}  // namespace belfry
