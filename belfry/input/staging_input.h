#pragma once

#include <c10/core/Device.h>

#include <optional>
#include <string>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/input/input_source.h"

namespace belfry {

/// Has the values of the step after the coming one copied to a GPU while the coming one runs: it takes them
/// from `input` one step ahead, and copies them on a stream of its own, from pinned memory. For the CPU,
/// where there is nothing to copy, it passes on what `input` gives when it is asked.
class StagingInput : public InputSource {
 public:
  /// Throws UsageError for an input that is null.
  explicit StagingInput(Shared<InputSource> input, c10::Device device = c10::Device(c10::kCUDA, 0));

  std::string name() const override { return "StagingInput"; }
  std::vector<Tensor> input_tensors() override { return input_->input_tensors(); }
  std::vector<Tensor> feed_tensors() const override { return input_->feed_tensors(); }
  /// What `input` throws is thrown one step later than without staging.
  std::optional<Datapoint> next(std::stop_token stop = {}) override;
  void reset_state() override;
  void stop() override;
  std::optional<DataPosition> position() const override;
  bool resume_at(const DataPosition& position) override { return input_->resume_at(position); }
  std::optional<int64_t> size() const override { return input_->size(); }
  std::optional<int64_t> data_size() const override { return input_->data_size(); }
  bool is_finite() const override { return input_->is_finite(); }

 protected:
  void on_setup() override { input_->setup(signature()); }

 private:
  class Copies;

  Shared<InputSource> input_;
  c10::Device device_;
  std::shared_ptr<Copies> copies_;  ///< null for the CPU
  bool has_begun_ = false;
  std::optional<Datapoint> staged_;
  std::optional<DataPosition> position_, staged_position_;
};

}  // namespace belfry
