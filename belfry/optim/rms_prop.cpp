#include "belfry/optim/rms_prop.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/add.h>
#include <ATen/ops/addcmul.h>
#include <ATen/ops/square.h>
#include <fmt/format.h>
#include <torch/library.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/optim/internal/update_kernels.h"

namespace belfry {
namespace {

struct Numbers {
  double rate, decay, momentum, epsilon;
};

void update_rms(const at::Tensor& rms, const at::Tensor& gradient, const Numbers& n) {
  rms.lerp_(at::square(gradient), 1 - n.decay);
}

/// `mean_square` is overwritten.
void step(const at::Tensor& variable, const at::Tensor& momentum, const at::Tensor& gradient,
          at::Tensor mean_square, const Numbers& n) {
  momentum.mul_(n.momentum).addcdiv_(gradient, mean_square.add_(n.epsilon).sqrt_(), n.rate);
  variable.sub_(momentum);
}

void check_rms_prop(at::TensorList variables, at::TensorList rms, at::TensorList mg, at::TensorList momenta,
                    at::TensorList gradients, const at::Tensor&, double, double, double,
                    at::ArrayRef<double> multipliers) {
  internal::check_multipliers(variables, multipliers);
  internal::check_like_variables(variables, rms, "mean squares");
  if (!mg.empty()) internal::check_like_variables(variables, mg, "mean gradients");
  internal::check_like_variables(variables, momenta, "momenta");
  internal::check_like_variables(variables, gradients, "gradients");
}

void apply_rms_prop(at::TensorList variables, at::TensorList rms, at::TensorList mg, at::TensorList momenta,
                    at::TensorList gradients, const at::Tensor& learning_rate, double decay, double momentum,
                    double epsilon, at::ArrayRef<double> multipliers) {
  const auto fitted = internal::in_layout_of(variables, gradients);
  const bool centered = !mg.empty();
  internal::for_each_rate(
      learning_rate.item<double>(), multipliers,
      [&](double rate, at::TensorList its_variables, at::TensorList its_gradients, at::TensorList its_rms,
          at::TensorList its_mg, at::TensorList its_momenta) {
        const Numbers n{.rate = rate, .decay = decay, .momentum = momentum, .epsilon = epsilon};
        if (!centered) {
          internal::update_in_pieces(
              [&](const at::Tensor& v, const at::Tensor& m, const at::Tensor& r, const at::Tensor& g) {
                update_rms(r, g, n);
                step(v, m, g, r.clone(), n);
              },
              its_variables, its_momenta, its_rms, its_gradients);
          return;
        }
        internal::update_in_pieces(
            [&](const at::Tensor& v, const at::Tensor& m, const at::Tensor& r, const at::Tensor& mean,
                const at::Tensor& g) {
              update_rms(r, g, n);
              mean.lerp_(g, 1 - n.decay);
              step(v, m, g, at::addcmul(r, mean, mean, -1), n);
            },
            its_variables, its_momenta, its_rms, its_mg, its_gradients);
      },
      variables, fitted, rms, centered ? mg : rms, momenta);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(belfry, m) {
  m.def(
      "apply_rms_prop(Tensor(a!)[] variables, Tensor(b!)[] rms, Tensor(c!)[] mg, Tensor(d!)[] momenta, "
      "Tensor[] gradients, Tensor learning_rate, float decay, float momentum, float epsilon, "
      "float[] multipliers=[]) -> ()");
}
TORCH_LIBRARY_IMPL(belfry, CompositeExplicitAutograd, m) {
  m.impl("apply_rms_prop", apply_rms_prop);
}
TORCH_LIBRARY_IMPL(belfry, Meta, m) {
  m.impl("apply_rms_prop", check_rms_prop);
}

RMSProp::RMSProp(const RMSPropOptions& options) : options_(options) {
  for (double number : {options.decay, options.momentum}) {
    if (!(number >= 0 && number <= 1)) {
      throw UsageError(fmt::format("[RMSProp] expected .decay and .momentum in [0, 1], got {}", number));
    }
  }
  if (!(options.epsilon >= 0)) {
    throw UsageError(fmt::format("[RMSProp] expected .epsilon of at least 0, got {}", options.epsilon));
  }
}

std::vector<std::string> RMSProp::slot_names() const {
  if (options_.centered) return {"rms", "mg", "momentum"};
  return {"rms", "momentum"};
}

Tensor RMSProp::update(const std::vector<Variable>& variables, const std::vector<Tensor>& gradients,
                       const std::string& name) {
  const auto rms = slots(variables, "rms", "RMSProp", 1);
  const auto mg = options_.centered ? slots(variables, "mg", "RMSProp") : std::vector<Tensor>();
  return default_graph()
      .add("belfry::apply_rms_prop", {},
           {{"variables", std::vector<Tensor>(variables.begin(), variables.end())},
            {"rms", rms},
            {"mg", mg},
            {"momenta", slots(variables, "momentum", "RMSProp")},
            {"gradients", gradients},
            {"learning_rate", options_.learning_rate.tensor(name + "/learning_rate")},
            {"decay", internal::as_float32(options_.decay)},
            {"momentum", internal::as_float32(options_.momentum)},
            {"epsilon", internal::as_float32(options_.epsilon)},
            {"multipliers", options_.learning_rate_multipliers.of(variables)}},
           name)
      .output();
}

}  // namespace belfry
