#pragma once

#include <ATen/core/Tensor.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "belfry/predict/batching_predictor.h"
#include "server/service.h"

namespace kserve::test {

/// y = 2 x, for x of two numbers. Sums above 1000 fail. While it is held, calls wait inside.
class DoublingModel : public belfry::Predictor {
 public:
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const override {
    std::unique_lock lock(mutex_);
    ++calls_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return !held_; });
    if (inputs[0].sum().item<float>() > 1000) throw std::runtime_error("too much");
    return {inputs[0] * 2};
  }
  void run_into(const std::vector<at::Tensor>&, const std::vector<at::Tensor>&) const override {}
  std::string describe() const override { return "doubles"; }
  const std::vector<belfry::TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<belfry::TensorSpec>& outputs() const override { return outputs_; }

  void hold(bool held = true) {
    std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  void wait_for_call() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return calls_ > 0; });
  }

  static ModelInfo info() {
    return {.name = "double",
            .version = "1",
            .platform = "belfry",
            .inputs = {{"x", {belfry::kDynamic, 2}, belfry::kFloat32}},
            .outputs = {{"y", {belfry::kDynamic, 2}, belfry::kFloat32}}};
  }

 private:
  const std::vector<belfry::TensorSpec> inputs_ = {{"x", {belfry::kDynamic, 2}}},
                                        outputs_ = {{"y", {belfry::kDynamic, 2}}};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable int calls_ = 0;
  bool held_ = false;
};

/// The body of a request for one row.
inline std::string row(float a, float b) {
  return R"({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [)" + std::to_string(a) +
         ", " + std::to_string(b) + "]}]}";
}

}  // namespace kserve::test
