#include "belfry/optim/adadelta.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <fmt/format.h>
#include <torch/library.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

void check_adadelta(at::TensorList variables, at::TensorList accum, at::TensorList accum_update,
                    at::TensorList gradients, const at::Tensor&, double, double,
                    at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, accum, "accumulators");
  internal::check_like_variables(variables, accum_update, "accumulators of steps");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_adadelta(at::TensorList variables, at::TensorList accum, at::TensorList accum_update,
                    at::TensorList gradients, const at::Tensor& learning_rate, double rho, double epsilon,
                    at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  internal::for_each_rate(
      learning_rate.item<double>(), multipliers,
      [&](double rate, at::TensorList its_variables, at::TensorList its_gradients, at::TensorList its_accum,
          at::TensorList its_updates) {
        internal::update_in_pieces(
            [&](const at::Tensor& v, const at::Tensor& a, const at::Tensor& u, const at::Tensor& g) {
              a.mul_(rho).addcmul_(g, g, 1 - rho);
              const at::Tensor step = at::add(a, epsilon).rsqrt_();
              step.mul_(at::add(u, epsilon).sqrt_()).mul_(g);
              u.mul_(rho).addcmul_(step, step, 1 - rho);
              v.sub_(step, rate);
            },
            its_variables, its_accum, its_updates, its_gradients);
      },
      variables, fitted, accum, accum_update);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_adadelta(Tensor(a!)[] variables, Tensor(b!)[] accum, Tensor(c!)[] accum_update, "
      "Tensor[] gradients, Tensor learning_rate, float rho, float epsilon, float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_adadelta", apply_adadelta);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_adadelta", check_adadelta);
}

Adadelta::Adadelta(const AdadeltaOptions& options) : options_(options) {
  if (!(options.rho >= 0 && options.rho <= 1)) {
    throw UsageError(fmt::format("[Adadelta] expected .rho in [0, 1], got {}", options.rho));
  }
  if (!(options.epsilon >= 0)) {
    throw UsageError(fmt::format("[Adadelta] expected .epsilon of at least 0, got {}", options.epsilon));
  }
}

Tensor Adadelta::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                        const std::string& name) {
  const auto accum = slots(variables, "accum", "Adadelta");
  return default_graph()
      .add("belfry::apply_adadelta", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"accum", accum},
            {"accum_update", slots(variables, "accum_update", "Adadelta")},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"rho", internal::as_float32(options_.rho)},
            {"epsilon", internal::as_float32(options_.epsilon)},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
