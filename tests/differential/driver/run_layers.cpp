#include <ATen/TensorOperators.h>

#include <fmt/format.h>

#include <functional>
#include <optional>

#include "tests/differential/driver/job.h"

namespace belfry::differential {
namespace {

Activation activation_of(const std::string& name) {
  if (name == "relu") return [](const Tensor& x) { return belfry::relu(x); };
  if (name == "tanh") return [](const Tensor& x) { return belfry::tanh(x); };
  if (name == "BNReLU") return BNReLU;
  return nullptr;
}

Regularizer regularizer_of(const Json& pair) {
  return pair[0] == "l1" ? l1_regularizer(pair[1]) : l2_regularizer(pair[1]);
}

/// Options that several layers have, by the names that they have in tensorpack.
template <typename Options>
Options options_of(const Json& o) {
  Options options;
#define FIELD(name) \
  if constexpr (requires { options.name; }) read(o, #name, options.name)
  FIELD(filters);
  FIELD(units);
  FIELD(padding);
  FIELD(groups);
  FIELD(use_bias);
  FIELD(momentum);
  FIELD(epsilon);
  FIELD(center);
  FIELD(scale);
  FIELD(data_format);
#undef FIELD
#define SIZE_FIELD(name)                    \
  if constexpr (requires { options.name; }) \
    if (o.contains(#name)) options.name = size_of(o[#name])
  SIZE_FIELD(kernel);
  SIZE_FIELD(pool);
  SIZE_FIELD(strides);
  SIZE_FIELD(dilation);
#undef SIZE_FIELD
#define REGULARIZER_FIELD(name)             \
  if constexpr (requires { options.name; }) \
    if (o.contains(#name)) options.name = regularizer_of(o[#name])
  REGULARIZER_FIELD(kernel_regularizer);
  REGULARIZER_FIELD(bias_regularizer);
  REGULARIZER_FIELD(activity_regularizer);
#undef REGULARIZER_FIELD
  if constexpr (requires { options.activation; })
    if (o.contains("activation")) options.activation = activation_of(o["activation"]);
  if constexpr (requires { options.ema_update; }) {
    static const std::map<std::string, EmaUpdate> updates = {{"skip", EmaUpdate::kSkip},
                                                             {"internal", EmaUpdate::kInternal},
                                                             {"collection", EmaUpdate::kCollection}};
    if (o.contains("ema_update")) options.ema_update = updates.at(o["ema_update"]);
    if (o.contains("training")) options.training = o["training"].get<bool>();
  }
  return options;
}

using Layer = std::function<Tensor(const std::string& name, const Tensor& x, const Json& o)>;
#define LAYER(layer)                                                                    \
  {                                                                                     \
#layer, [](const std::string& name, const Tensor& x,                                \
               const Json& o) { return layer(name, x, options_of<layer##Options>(o)); } \
  }

const std::map<std::string, Layer>& layers() {
  static const std::map<std::string, Layer> layers = {
      LAYER(Conv2D),
      LAYER(Conv2DTranspose),
      LAYER(FullyConnected),
      LAYER(MaxPooling),
      LAYER(AvgPooling),
      LAYER(GlobalAvgPooling),
      LAYER(BatchNorm),
      LAYER(LayerNorm),
      LAYER(InstanceNorm),
      LAYER(Maxout),
      {"Dropout",
       [](const std::string& name, const Tensor& x, const Json&) { return Dropout(name, x, {.rate = 0.5}); }},
      {"BNReLU", [](const std::string& name, const Tensor& x, const Json&) { return BNReLU(name, x); }},
      {"PReLU", [](const std::string& name, const Tensor& x, const Json&) { return PReLU(name, x); }},
      {"relu", [](const std::string&, const Tensor& x, const Json&) { return belfry::relu(x); }}};
  return layers;
}

Tensor build(const Json& spec, const Tensor& x) {
  std::optional<ArgScope> scope;
  if (spec.contains("scope"))
    scope.emplace(options_of<Conv2DOptions>(spec["scope"]["Conv2D"]),
                  options_of<BatchNormOptions>(spec["scope"]["BatchNorm"]));
  Tensor y = x;
  for (const Json& layer : spec["layers"]) {
    Tensor made = layers().at(layer["layer"])(layer["name"], y, layer["options"]);
    y = layer["residual"].get<bool>() ? made + y : made;
  }
  return y;
}

using Values = std::map<std::string, at::Tensor>;

Shape input_shape(const Job& job) {
  const at::Tensor& x = job.input("x");
  Shape shape(x.sizes().begin() + 1, x.sizes().end());
  for (int64_t dimension : integers_of(job.spec["dynamic"])) shape[dimension] = kDynamic;
  return shape;
}

/// The drawn values; a variable that TensorFlow's layers do not have is noted.
void set_variables(const Job& job, Session& session, const Values& values) {
  session.initialize_variables();
  for (auto& state : session.graph().variables()) {
    const std::string name = state->tensor.op_name();
    if (auto found = values.find(name); found != values.end())
      session.set_value(Variable(state.get()), found->second);
    else if (job.has_input("variable/" + name))
      session.set_value(Variable(state.get()), job.input("variable/" + name));
    else
      job.status["unknown variable"] = name;
  }
}

/// Steps with the updates of the moving statistics, but without an optimizer; returns the variables after
/// them.
Values train(const Job& job) {
  Graph graph;
  GraphScope as_default(graph);
  const at::Tensor& steps = job.input("x");
  Tensor x = placeholder("x", input_shape(job), steps.scalar_type()), y, penalty;
  {
    TowerContext tower("", {.is_training = job.asks_for("is_training")});
    y = build(job.spec, x);
    penalty = regularize_cost_from_collection();
    if (job.spec.contains("regularized"))
      penalty = penalty + regularize_cost(job.spec["regularized"], regularizer_of(job.spec["regularizer"]));
  }
  // After the tower, which keeps none where it does not train.
  const Tensors updates = graph.collection(kUpdateOps);
  job.status["shape"] = y.shape();
  Tensor loss = sum(y * constant(job.input("w"))) + cast(penalty, y.dtype());
  Tensors targets{x};
  std::vector<std::string> names{"x"};
  for (auto& variable : variables_in(graph, kTrainableVariables)) {
    targets.push_back(variable.tensor());
    names.push_back(variable.name());
  }
  job.status["trainable"] = names;
  std::vector<Fetch> fetches{y, penalty};
  std::vector<std::string> keys{"y", "penalty"};
  const Tensors all = gradients(loss, targets);
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i]) continue;
    fetches.push_back(all[i]);
    keys.push_back("gradient/" + names[i]);
  }
  for (auto& update : updates) fetches.push_back(update);
  Session session(graph);
  set_variables(job, session, {});
  for (int64_t step = 0; step < steps.size(0); ++step) {
    const auto results = session.run(fetches, {{x, steps[step]}});
    for (size_t i = 0; i < keys.size(); ++i) job.put(fmt::format("step{}/{}", step, keys[i]), results[i]);
  }
  Values after;
  for (auto& state : graph.variables()) {
    const std::string name = state->tensor.op_name();
    after[name] = session.value(Variable(state.get())).clone();
    job.put("after/" + name, after[name]);
  }
  return after;
}

void infer(const Job& job, const Values& trained) {
  Graph graph;
  GraphScope as_default(graph);
  const at::Tensor first = job.input("x")[0], last = job.input("x")[-1];
  Tensor x = placeholder("x0", input_shape(job), first.scalar_type()), y;
  {
    TowerContext tower("", {.is_training = false});
    y = identity(build(job.spec, x), "y0");
  }
  Session session(graph);
  set_variables(job, session, trained);
  job.put("session/0", session.run(y, {{x, first}}));
  job.put("session_of_last/0", session.run(y, {{x, last}}));
  job.attempt("compiled", [&] {
    auto compiled = compile(session, {x}, {y});
    job.put("compiled/0", compiled({first})[0].clone());
    job.put("compiled_of_last/0", compiled({last})[0]);
  });
  if (first.scalar_type() == kFloat32)
    job.attempt("bfloat16", [&] {
      job.put("bfloat16/0", compile(session, {x}, {y}, {.compute = kBFloat16})({first})[0]);
    });
  if (!job.folder.empty() && job.asks_for("export")) run_exports(job, session, {x}, {first}, {y});
}

}  // namespace

void run_layers(const Job& job) {
  Values trained;
  if (job.attempt("train", [&] { trained = train(job); })) job.attempt("run", [&] { infer(job, trained); });
}

}  // namespace belfry::differential
