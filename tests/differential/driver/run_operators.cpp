#include <ATen/TensorOperators.h>

#include <functional>

#include "tests/differential/driver/job.h"
#include "tests/differential/driver/operators.h"

namespace belfry::differential {
namespace {

const Operators& operators() {
  static const Operators all = [] {
    Operators all = math_operators();
    for (auto table : {array_operators, nn_operators, reduce_operators}) all.merge(table());
    return all;
  }();
  return all;
}

std::string numbered(const char* name, size_t number) {
  return name + std::to_string(number);
}

/// The configuration's graph with the values of its inputs.
struct Built {
  Tensors inputs, placeholders, outputs;
  std::vector<at::Tensor> values;
  Feeds feeds;
};

void build_inputs(const Job& job, Built& built) {
  for (const Json& input : job.spec["inputs"]) {
    const std::string name = numbered("x", built.inputs.size());
    const at::Tensor value = job.input(name);
    if (input["constant"].get<bool>()) {
      built.inputs.push_back(constant(value, name));
      continue;
    }
    Shape shape(value.sizes().begin(), value.sizes().end());
    for (int64_t dimension : integers_of(input["dynamic"])) shape[dimension] = kDynamic;
    built.inputs.push_back(placeholder(name, shape, value.scalar_type()));
    built.placeholders.push_back(built.inputs.back());
    built.values.push_back(value);
    built.feeds.emplace_back(built.inputs.back(), value);
  }
}

/// Each node's operator on tensors by number: the inputs, then the outputs of the nodes before.
void build_nodes(const Job& job, Built& built) {
  Tensors all = built.inputs;
  for (const Json& node : job.spec["nodes"]) {
    Tensors arguments;
    for (int64_t number : integers_of(node["inputs"])) arguments.push_back(all.at(number));
    for (const Tensor& y : operators().at(node["operator"])(arguments, node["attributes"])) all.push_back(y);
  }
  Json shapes = Json::array();
  for (int64_t number : integers_of(job.spec["outputs"])) {
    built.outputs.push_back(identity(all.at(number), numbered("y", built.outputs.size())));
    shapes.push_back(built.outputs.back().shape());
  }
  job.status["shapes"] = shapes;
}

std::vector<Fetch> fetches(const Tensors& tensors) {
  return {tensors.begin(), tensors.end()};
}

void put_all(const Job& job, const char* prefix, const std::vector<at::Tensor>& results) {
  for (size_t k = 0; k < results.size(); ++k) job.put(numbered(prefix, k), results[k]);
}

/// Every second pass of the compiler off, which ones depends on the configuration.
CompileOptions drawn_options(size_t bits) {
  CompileOptions options;
  bool CompileOptions::*const passes[] = {
      &CompileOptions::canonicalize,     &CompileOptions::cancel_transposes, &CompileOptions::fold_constants,
      &CompileOptions::primitives,       &CompileOptions::plan_memory,       &CompileOptions::fuse_residuals,
      &CompileOptions::fuse_activations, &CompileOptions::fold_batch_norm,   &CompileOptions::fold_padding};
  for (auto pass : passes) {
    options.*pass = bits & 1;
    bits >>= 1;
  }
  return options;
}

void run_compiled(const Job& job, Session& session, const Built& built) {
  const std::pair<const char*, CompileOptions> ways[] = {
      {"compiled", {}},
      {"compiled_in_parts", {.cache_bytes = 256}},
      {"compiled_otherwise", drawn_options(std::hash<std::string>()(job.id()))}};
  for (const auto& [name, options] : ways) {
    job.attempt(name, [&, name = name, &options = options] {
      auto compiled = compile(session, fetches(built.placeholders), fetches(built.outputs), options);
      compiled(built.values);
      // The second run finds the memory plan of the first.
      put_all(job, (std::string(name) + "/").c_str(), compiled(built.values));
    });
  }
}

/// The gradients of sum(y * w) over the outputs that have a w.
void run_gradients(const Job& job, Session& session, const Built& built) {
  Tensors targets;
  std::vector<size_t> numbers;
  for (size_t i = 0; i < built.inputs.size(); ++i) {
    if (!job.spec["inputs"][i]["differentiated"].get<bool>()) continue;
    targets.push_back(built.inputs[i]);
    numbers.push_back(i);
  }
  Tensor loss;
  for (size_t k = 0; k < built.outputs.size(); ++k) {
    // Nothing is added by an output without elements.
    if (!job.has_input(numbered("w", k)) || job.input(numbered("w", k)).numel() == 0) continue;
    Tensor term = sum(built.outputs[k] * constant(job.input(numbered("w", k))));
    if (term.dtype() != kFloat64) term = cast(term, kFloat64);
    loss = loss ? loss + term : term;
  }
  if (!loss || targets.empty()) return;
  const Tensors all = gradients(loss, targets);
  std::vector<Fetch> fetches;
  std::vector<std::string> names;
  for (size_t i = 0; i < all.size(); ++i) {
    if (!all[i]) continue;
    fetches.push_back(all[i]);
    names.push_back(std::to_string(numbers[i]));
  }
  const auto results = session.run(fetches, built.feeds);
  for (size_t i = 0; i < results.size(); ++i) job.put("gradient/" + names[i], results[i]);
  if (!job.asks_for("compile_gradient")) return;
  job.attempt("compiled_gradient", [&] {
    const auto compiled =
        compile(session, {built.placeholders.begin(), built.placeholders.end()}, fetches)(built.values);
    for (size_t i = 0; i < compiled.size(); ++i) job.put("compiled_gradient/" + names[i], compiled[i]);
  });
}

}  // namespace

void run_operators(const Job& job) {
  Graph graph;
  GraphScope as_default(graph);
  Built built;
  if (!job.attempt("build", [&] {
        build_inputs(job, built);
        build_nodes(job, built);
      }))
    return;
  Session session(graph);
  const bool ran =
      job.attempt("run", [&] { put_all(job, "session/", session.run(fetches(built.outputs), built.feeds)); });
  run_compiled(job, session, built);
  if (ran && !job.folder.empty() && job.asks_for("export"))
    run_exports(job, session, built.placeholders, built.values, fetches(built.outputs));
  if (ran && job.asks_for("gradient")) job.attempt("gradient", [&] { run_gradients(job, session, built); });
}

}  // namespace belfry::differential
