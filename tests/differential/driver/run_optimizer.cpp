#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include "tests/differential/driver/job.h"

namespace belfry::differential {
namespace {

std::unique_ptr<Optimizer> optimizer_of(const Json& o, const LearningRate& rate) {
  if (o["optimizer"] == "Momentum")
    return std::make_unique<Momentum>(
        MomentumOptions{.learning_rate = rate, .momentum = o["momentum"], .use_nesterov = o["nesterov"]});
  if (o["optimizer"] == "Adam")
    return std::make_unique<Adam>(AdamOptions{
        .learning_rate = rate, .beta1 = o["beta1"], .beta2 = o["beta2"], .epsilon = o["epsilon"]});
  return std::make_unique<GradientDescent>(GradientDescentOptions{.learning_rate = rate});
}

std::shared_ptr<GradientProcessor> processor_of(const Json& p) {
  if (p[0] == "GlobalNormClip") return std::make_shared<GlobalNormClip>(p[1].get<double>());
  if (p[0] == "ScaleGradient")
    return std::make_shared<ScaleGradient>(
        ScaleGradient::Multipliers{{p[1].get<std::string>(), p[2].get<double>()}});
  if (p[0] == "MapGradient") {
    const double limit = p[1];
    return std::make_shared<MapGradient>(
        [limit](const Tensor& gradient, const Variable&) { return clip_by_value(gradient, -limit, limit); });
  }
  return std::make_shared<FilterNoneGrad>();
}

/// A variable whose gradient is fed: it is multiplied, whole or by the rows "ids", with placeholder "gN".
struct Trained {
  Trained(const Job& job, const std::string& number, const std::string& use) {
    const at::Tensor start = job.input(fmt::format("v{}", number));
    Shape shape(start.sizes().begin(), start.sizes().end());
    Variable variable =
        get_variable(fmt::format("v{}", number), shape,
                     {.dtype = start.scalar_type(), .initializer = constant_initializer(start)});
    if (use == "unused") return;
    Tensor used = variable;
    if (use == "gathered") {
      Tensor ids = placeholder("ids", {3}, kInt64);
      used = gather(variable, ids);
      shape[0] = 3;
      feeds.emplace_back("ids", ids);
    }
    Tensor gradient = placeholder(fmt::format("g{}", number), shape, start.scalar_type());
    feeds.emplace_back(fmt::format("g{}", number), gradient);
    cost = cast(sum(used * gradient), kFloat32);
  }
  Tensor cost;
  std::vector<std::pair<std::string, Tensor>> feeds;
};

void train(const Job& job) {
  const Json& spec = job.spec;
  Graph graph;
  GraphScope as_default(graph);
  TowerContext tower("", {.is_training = true});
  Tensor cost;
  std::vector<std::pair<std::string, Tensor>> feeds;
  for (size_t i = 0; i < spec["variables"].size(); ++i) {
    Trained trained(job, std::to_string(i), spec["variables"][i]);
    feeds.insert(feeds.end(), trained.feeds.begin(), trained.feeds.end());
    if (trained.cost) cost = cost ? cost + trained.cost : trained.cost;
  }
  const auto rates = spec["rates"].get<std::vector<double>>();
  LearningRate rate = rates[0];
  Variable rate_variable;
  if (spec["rate_is_variable"].get<bool>()) {
    rate_variable = get_variable("learning_rate", {},
                                 {.initializer = constant_initializer(rates[0]), .trainable = false});
    rate = rate_variable;
  }
  auto optimizer = optimizer_of(spec, rate);
  GradientProcessors processors;
  for (const Json& processor : spec["processors"]) processors.push_back(processor_of(processor));
  if (!processors.empty()) optimizer = apply_grad_processors(std::move(optimizer), processors);
  Variable step = get_variable("global_step", {}, {.dtype = kInt64, .trainable = false});
  Tensor train = optimizer->minimize(cost, {}, {.global_step = step});
  Session session(graph);
  session.initialize_variables();
  for (size_t t = 0; t < rates.size(); ++t) {
    Feeds fed;
    for (const auto& [name, tensor] : feeds) fed.emplace_back(tensor, job.input(name)[t]);
    if (rate_variable.defined()) session.set_value(rate_variable, at::scalar_tensor(rates[t], at::kFloat));
    session.run(train, fed);
  }
  for (auto& state : graph.variables())
    job.put("after/" + state->tensor.op_name(), session.value(Variable(state.get())));
}

}  // namespace

void run_optimizer(const Job& job) {
  job.attempt("run", [&] { train(job); });
}

}  // namespace belfry::differential
