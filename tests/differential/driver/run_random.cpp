#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>

#include <functional>

#include "tests/differential/driver/job.h"

namespace belfry::differential {
namespace {

Initializer variance_scaling(const Json& o, std::optional<int64_t> seed) {
  static const std::map<std::string, FanMode> modes = {
      {"fan_in", FanMode::kIn}, {"fan_out", FanMode::kOut}, {"fan_avg", FanMode::kAverage}};
  static const std::map<std::string, Distribution> distributions = {
      {"uniform", Distribution::kUniform},
      {"untruncated_normal", Distribution::kUntruncatedNormal},
      {"truncated_normal", Distribution::kTruncatedNormal}};
  VarianceScalingOptions options;
  options.scale = o["scale"];
  options.mode = modes.at(o["mode"]);
  options.distribution = distributions.at(o["distribution"]);
  if (seed) options.seed = *seed;
  return variance_scaling_initializer(options);
}

Initializer initializer_of(const Json& o) {
  const std::string name = o["initializer"];
  InitializerOptions seeded;
  std::optional<int64_t> seed;
  if (o.contains("seed")) seeded.seed = *(seed = o["seed"].get<int64_t>());
  if (name == "variance_scaling") return variance_scaling(o, seed);
  if (name == "glorot_uniform") return glorot_uniform_initializer(seeded);
  if (name == "glorot_normal") return glorot_normal_initializer(seeded);
  if (name == "he_normal") return he_normal_initializer(seeded);
  if (name == "he_uniform") return he_uniform_initializer(seeded);
  if (name == "orthogonal") return orthogonal_initializer(o["gain"], seeded);
  if (name == "random_uniform") return random_uniform_initializer(o["a"], o["b"], seeded);
  if (name == "random_normal") return random_normal_initializer(o["a"], o["b"], seeded);
  if (name == "truncated_normal") return truncated_normal_initializer(o["a"], o["b"], seeded);
  return {};
}

Tensor dropout_layer(const Shape& shape, double rate, const Json& o) {
  TowerContext tower("", {.is_training = true});
  DropoutOptions options{.rate = rate};
  if (o.contains("seed")) options.seed = o["seed"].get<int64_t>();
  return Dropout("dropout", ones(shape), options);
}

Tensor drawn(const Job& job) {
  const Json& o = job.spec;
  const Shape shape = integers_of(o["shape"]);
  const double a = o.value("a", 0.0), b = o.value("b", 1.0);
  RandomAttributes attributes{.dtype = dtype_of(o.value("dtype", "float32"))};
  RandomLikeAttributes like;
  DropoutAttributes dropped;
  if (o.contains("seed")) dropped.seed = like.seed = attributes.seed = o["seed"].get<int64_t>();
  if (o.contains("noise_shape")) dropped.noise_shape = integers_of(o["noise_shape"]);
  const std::map<std::string, std::function<Tensor()>> functions = {
      {"random_uniform", [&] { return random_uniform(shape, a, b, attributes); }},
      {"random_normal", [&] { return random_normal(shape, a, b, attributes); }},
      {"truncated_normal", [&] { return truncated_normal(shape, a, b, attributes); }},
      {"random_bernoulli", [&] { return random_bernoulli(shape, a, attributes); }},
      {"random_uniform_like", [&] { return random_uniform_like(zeros(shape), a, b, like); }},
      {"random_normal_like", [&] { return random_normal_like(zeros(shape), a, b, like); }},
      {"random_shuffle", [&] { return random_shuffle(range(c10::Scalar(0), c10::Scalar(shape[0])), like); }},
      {"random_categorical",
       [&] { return random_categorical(constant(job.input("logits")), shape[0], like); }},
      {"dropout", [&] { return dropout(ones(shape), a, dropped); }},
      {"Dropout", [&] { return dropout_layer(shape, a, o); }}};
  return functions.at(o["function"])();
}

}  // namespace

void run_initializer(const Job& job) {
  job.attempt("run", [&] {
    Graph graph;
    GraphScope as_default(graph);
    Variable variable =
        get_variable("v", integers_of(job.spec["shape"]),
                     {.dtype = dtype_of(job.spec["dtype"]), .initializer = initializer_of(job.spec)});
    Session session(graph), other(graph);
    session.initialize_variables();
    other.initialize_variables();
    job.put("drawn", session.value(variable));
    job.status["sessions agree"] = at::equal(session.value(variable), other.value(variable));
  });
}

void run_random(const Job& job) {
  job.attempt("run", [&] {
    Graph graph;
    GraphScope as_default(graph);
    if (job.spec.contains("graph_seed")) graph.set_seed(job.spec["graph_seed"].get<int64_t>());
    Tensor y = drawn(job);
    Session session(graph), other(graph);
    const at::Tensor first = session.run(y), second = session.run(y);
    job.put("drawn", first);
    job.status["runs agree"] = at::equal(first, second);
    job.status["sessions agree"] = at::equal(first, other.run(y));
  });
}

}  // namespace belfry::differential
