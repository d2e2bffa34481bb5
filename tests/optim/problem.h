#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/ops/ops.h"
#include "belfry/runtime/session.h"
#include "tests/support/close.h"

namespace belfry::test {

/// start, start + step, ... as optimizer_baseline.py makes it.
inline at::Tensor ramp(const Shape& shape, double start, double step) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return (at::arange(count, at::kFloat) * step + start).reshape(shape);
}

inline std::vector<std::string> names(const std::vector<Variable>& variables) {
  std::vector<std::string> result;
  for (const Variable& variable : variables) result.push_back(variable.name());
  return result;
}

/// The learning rates of every 5 steps.
inline constexpr std::array kRates = {0.05, 0.02, 0.1, 0.01};

/// The problem that the scripts beside this solve.
class OptimizerProblem : public testing::Test {
 protected:
  /// The problem of optimizer_baseline.py; the kernel keeps its memory in another order than its shape.
  void build_problem(DType dtype = kFloat32) {
    type = dtype;
    rate = get_variable("learning_rate", {}, {.initializer = zeros_initializer(), .trainable = false});
    add_variable("matrix", {2, 3}, {});
    add_variable("kernel", {2, 1, 1, 2}, {3, 0, 1, 2});
    add_variable("scalar", {}, {});
    loss = add_n(losses);
  }

  void add_variable(const std::string& name, const Shape& shape, const std::vector<int64_t>& memory_order) {
    const Variable v = get_variable(name, shape,
                                    {.dtype = type,
                                     .initializer = constant_initializer(ramp(shape, 1, 0.5).to(type)),
                                     .memory_order = memory_order});
    losses.push_back(sum(constant(ramp(shape, 0.5, 0.25).to(type)) *
                         square(v - constant(ramp(shape, -1, 0.125).to(type)))));
  }

  at::Tensor values(Session& session) const {
    std::vector<at::Tensor> flat;
    for (const Variable& v : variables_in(graph, kTrainableVariables))
      flat.push_back(session.value(v).reshape({-1}).to(at::kFloat));
    return at::cat(flat);
  }

  /// Runs `train` 20 times under the rates of optimizer_baseline.py; `shown` gives what to compare.
  void expect_steps(const Tensor& train, const std::vector<std::vector<float>>& expected, Tolerance tolerance,
                    const std::function<at::Tensor(Session&)>& shown) {
    Session session(graph);
    session.initialize_variables();
    for (size_t step = 0; step < 20; ++step) {
      session.set_value(rate, at::full({}, kRates[step / 5], at::kFloat));
      session.run(train);
      EXPECT_TRUE(close(shown(session), at::tensor(expected[step]), tolerance)) << "after step " << step + 1;
    }
  }
  void expect_steps(const Tensor& train, const std::vector<std::vector<float>>& expected,
                    Tolerance tolerance = kSameSteps) {
    expect_steps(train, expected, tolerance, [this](Session& session) { return values(session); });
  }
  /// Each of 20 steps begins with the last one's rounding.
  static constexpr Tolerance kSameSteps{.relative = 3e-6, .absolute = 1e-6};

  Graph graph;
  GraphScope as_default{graph};
  DType type = kFloat32;
  Variable rate;
  std::vector<Tensor> losses;
  Tensor loss;
};

}  // namespace belfry::test
