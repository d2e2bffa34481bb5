#include "belfry/optim/moving_average.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_lerp.h>
#include <fmt/format.h>
#include <torch/library.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/ops/math.h"
#include "belfry/ops/operators.h"
#include "belfry/ops/state.h"
#include "belfry/optim/internal/create_slot.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_averages(at::TensorList averages, at::TensorList values, const at::Tensor&) {
  internal::check_like_variables(averages, values, "values");
}

void apply_averages(at::TensorList averages, at::TensorList values, const at::Tensor& weight) {
  at::_foreach_lerp_(averages, values, weight.item<double>());
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("apply_moving_average(Tensor(a!)[] averages, Tensor[] values, Tensor weight) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_moving_average", apply_averages);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_moving_average", check_averages);
}

ExponentialMovingAverage::ExponentialMovingAverage(MovingAverageOptions options)
    : options_(std::move(options)) {
  if (!(options_.decay >= 0 && options_.decay < 1)) {
    throw UsageError(
        fmt::format("[ExponentialMovingAverage] expected .decay in [0, 1), got {}", options_.decay));
  }
  if (options_.num_updates && options_.num_updates.rank() != 0) {
    throw UsageError(fmt::format("[ExponentialMovingAverage] expected a scalar for .num_updates, got {}",
                                 describe(options_.num_updates)));
  }
}

Tensor ExponentialMovingAverage::weight() const {
  if (!options_.num_updates) return constant(1 - options_.decay, kFloat32, "weight");
  const Tensor n = cast(options_.num_updates, kFloat32);
  return 1.0 - minimum((1.0 + n) / (10.0 + n), options_.decay);
}

std::vector<std::pair<Variable, Variable>> ExponentialMovingAverage::averages_in(const Graph& graph) {
  std::vector<std::pair<Variable, Variable>> result;
  for (const Variable& variable : variables_in(graph, kGlobalVariables)) {
    if (const VariableRecord* average = graph.find_variable(average_name(variable.name())))
      result.emplace_back(variable, Variable(average));
  }
  return result;
}

Tensor ExponentialMovingAverage::apply(const std::vector<Variable>& variables) {
  const std::vector<Variable> averaged = variables.empty() ? trainable_variables() : variables;
  std::vector<Tensor> averages, values;
  for (const Variable& variable : averaged) {
    if (!c10::isFloatingType(variable.dtype())) {
      throw UsageError(fmt::format("[ExponentialMovingAverage] expected floating point variables, got {}",
                                   describe(variable.tensor())));
    }
    if (default_graph().find_variable(average_name(variable.name()))) {
      throw UsageError(fmt::format(
          "[ExponentialMovingAverage] expected one average of each variable, '{}' has one", variable.name()));
    }
    averages.push_back(internal::create_slot(variable, "ExponentialMovingAverage",
                                             [&](const Shape&, DType) { return identity(variable); }));
    values.push_back(variable);
  }
  if (averages.empty())
    throw UsageError("[ExponentialMovingAverage] expected variables to average, got a graph without any");
  const NameScope scope("ExponentialMovingAverage");
  return default_graph()
      .add("belfry::apply_moving_average", {},
           {{"averages", averages}, {"values", values}, {"weight", weight()}}, "apply")
      .output();
}

MovingAverageOptimizer::MovingAverageOptimizer(std::unique_ptr<Optimizer> optimizer,
                                               MovingAverageOptions options)
    : ProxyOptimizer(std::move(optimizer)), averages_(std::move(options)) {}

Tensor MovingAverageOptimizer::apply_gradients(const GradientsAndVariables& gradients,
                                               const ApplyOptions& options) {
  const std::string operation = options.name.empty() ? name() : options.name;
  const Tensor update = inner().apply_gradients(
      gradients,
      {.global_step = options.global_step, .name = operation + "/update", .combine = options.combine});
  std::vector<Variable> updated;
  for (const auto& [gradient, variable] : gradients) {
    if (gradient) updated.push_back(variable);
  }
  const ControlDependencies after({update});
  return group({update, averages_.apply(updated)}, operation);
}

}  // namespace belfry
