#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/linspace.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "belfry/dataflow/batch_data.h"
#include "belfry/dataflow/data_from_tensors.h"
#include "belfry/layers/dropout.h"
#include "belfry/layers/fully_connected.h"
#include "belfry/ops/ops.h"
#include "belfry/optim/gradient_descent.h"
#include "belfry/train/model_desc.h"

namespace belfry::test {

/// Learns y = 2 x + 1.
class ToyModel : public ModelDesc {
 public:
  std::vector<TensorSpec> inputs() const override {
    return {{"x", {kDynamic, 1}, kFloat32}, {"y", {kDynamic, 1}, kFloat32}};
  }
  Tensor build_graph(const TowerInputs& in) override {
    auto [x, y] = in.get<2>();
    const Tensor predicted = FullyConnected("fc", x, {.units = 1});
    identity(predicted, "predicted");
    identity(Dropout(ones_like(predicted), {.rate = 0.5}), "dropped");
    if (!y) return {};
    const Tensor error = predicted - y;
    return mean(error * error, "cost");
  }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = 0.1});
  }
};

/// 39 points of the line in batches of 13.
inline BatchData toy_data() {
  const at::Tensor x = at::linspace(-1, 1, 39).reshape({39, 1});
  return BatchData(DataFromTensors({x, x * 2 + 1}), 13);
}

}  // namespace belfry::test
