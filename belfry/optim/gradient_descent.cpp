#include "belfry/optim/gradient_descent.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/_fused_sgd.h>
#include <torch/library.h>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_gradient_descent(at::TensorList variables, at::TensorList gradients, const at::Tensor&,
                            at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_gradient_descent(at::TensorList variables, at::TensorList gradients,
                            const at::Tensor& learning_rate, at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  internal::for_each_rate(
      learning_rate.item<double>(), multipliers,
      [](double rate, at::TensorList its_variables, at::TensorList its_gradients) {
        at::_fused_sgd_(its_variables, its_gradients, /*momentum_buffer_list=*/{}, /*weight_decay=*/0,
                        /*momentum=*/0, rate, /*dampening=*/0, /*nesterov=*/false, /*maximize=*/false,
                        /*is_first_step=*/false);
      },
      variables, fitted);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_gradient_descent(Tensor(a!)[] variables, Tensor[] gradients, Tensor learning_rate, "
      "float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_gradient_descent", apply_gradient_descent);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_gradient_descent", check_gradient_descent);
}

Tensor GradientDescent::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                               const std::string& name) {
  return default_graph()
      .add("belfry::apply_gradient_descent", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
