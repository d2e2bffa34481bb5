#include "belfry/optim/accum_grad_optimizer.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_zero.h>
#include <fmt/format.h>
#include <torch/library.h>

#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/run_if.h"
#include "belfry/ops/initializers.h"
#include "belfry/ops/math.h"
#include "belfry/ops/state.h"
#include "belfry/optim/gradient_processor.h"
#include "belfry/optim/internal/create_slot.h"
#include "belfry/optim/internal/update_kernels.h"

// tensorpack's (tfutils/optimizer.py), with RunIf where that has a cond. One operator adds all gradients, so
// that a step between updates costs one pass over them.

namespace belfry {
namespace {

void accumulate(at::TensorList sums, at::TensorList values) {
  at::_foreach_add_(sums, internal::in_layout_of(sums, values));
}

void check_accumulate(at::TensorList sums, at::TensorList values) {
  internal::check_like_variables(sums, values, "gradients");
}

Tensor all(const char* op, const std::string& argument, const std::vector<Variable>& variables,
           const std::string& name, Attributes further = {}) {
  further.emplace_back(argument, std::vector<Tensor>(variables.begin(), variables.end()));
  return default_graph().add(op, {}, further, name).output();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def("accumulate(Tensor(a!)[] sums, Tensor[] values) -> ()");
  m.def("set_to_zero(Tensor(a!)[] variables) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("accumulate", accumulate);
  m.impl("set_to_zero", [](at::TensorList variables) { at::_foreach_zero_(variables); });
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("accumulate", check_accumulate);
  m.impl("set_to_zero", [](at::TensorList) {});
}

AccumGradOptimizer::AccumGradOptimizer(std::unique_ptr<Optimizer> optimizer, int64_t niter)
    : ProxyOptimizer(std::move(optimizer)), niter_(niter) {
  if (niter < 1) throw UsageError(fmt::format("[AccumGradOptimizer] expected niter >= 1, got {}", niter));
}

Tensor AccumGradOptimizer::apply_gradients(const GradientsAndVariables& gradients,
                                           const ApplyOptions& options) {
  const GradientsAndVariables present = FilterNoneGrad().process(gradients);
  if (present.empty()) return inner().apply_gradients(gradients, options);  // which says what is wrong
  std::vector<Tensor> values;
  std::vector<Variable> sums;
  GradientsAndVariables accumulated;
  for (const auto& [gradient, variable] : present) {
    sums.push_back(internal::create_slot(variable, "AccumGrad", zeros_initializer()));
    values.push_back(gradient);
    accumulated.push_back({sums.back(), variable});
  }
  const Variable counter = internal::create_at_root(
      "AccumGrad/counter", {}, {.dtype = kInt32, .initializer = zeros_initializer(), .trainable = false},
      c10::kCPU);
  std::vector<Tensor> operations = build_update(accumulated, sums, values, counter, options.combine);
  if (options.global_step.defined())
    operations.push_back(assign_add(options.global_step, constant(1, options.global_step.dtype())));
  return group(operations, options.name.empty() ? name() : options.name);
}

std::vector<Tensor> AccumGradOptimizer::build_update(const GradientsAndVariables& accumulated,
                                                     const std::vector<Variable>& sums,
                                                     const std::vector<Tensor>& values,
                                                     const Variable& counter, const Combine& combine) {
  const NameScope scope("AccumGradOptimizer");
  const Tensor counted = assign_add(counter, constant(1, kInt32), "update_counter");
  const Tensor added = all("belfry::accumulate", "sums", sums, "update_slot", {{"values", values}});
  const Tensor is_due = equal(floor_mod(counted, niter_), 0);
  const ControlDependencies after({added});
  const RunIf when_due(is_due, "cond_update_grad");
  const Tensor update =
      inner().apply_gradients(accumulated, {.global_step = {}, .name = "update_grad", .combine = combine});
  const ControlDependencies after_update({update});
  return {added, all("belfry::set_to_zero", "variables", sums, "clear")};
}

}  // namespace belfry
