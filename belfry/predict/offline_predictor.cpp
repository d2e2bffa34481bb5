#include "belfry/predict/offline_predictor.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/compile/online_predictor.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/special_nodes.h"
#include "belfry/graph/variable.h"

namespace belfry {
namespace {

TowerInputs build_placeholders(const std::vector<TensorSpec>& signature) {
  std::vector<std::pair<std::string, Tensor>> inputs;
  for (const TensorSpec& spec : signature) {
    inputs.emplace_back(spec.name, add_placeholder(spec));
  }
  return TowerInputs(std::move(inputs));
}

std::vector<std::string> names_of(const std::vector<TensorSpec>& signature) {
  std::vector<std::string> names;
  for (const TensorSpec& spec : signature) names.push_back(spec.name);
  return names;
}

std::vector<Tensor> find_all(const TowerTensorHandle& tower, const std::vector<std::string>& names) {
  std::vector<Tensor> tensors;
  for (const std::string& name : names) tensors.push_back(tower.tensor(name));
  return tensors;
}

}  // namespace

struct OfflinePredictor::Engine {
  explicit Engine(const PredictConfig& config) {
    if (!config.model.defined())
      throw UsageError("[OfflinePredictor] expected a model in the config, got none");
    if (config.outputs.empty()) throw UsageError("[OfflinePredictor] expected names of outputs, got none");
    TowerFunc tower_func = config.model.tower_func();
    {
      GraphScope as_default(graph);
      const TowerInputs inputs = build_placeholders(tower_func.signature());
      TowerContext tower("", {.is_training = false, .device = config.device});
      tower_func(inputs);
    }
    const TowerTensorHandle& tower = tower_func.towers().back();
    const std::vector<std::string> inputs =
        config.inputs.empty() ? names_of(tower_func.signature()) : config.inputs;
    const std::vector<Tensor> input_tensors = find_all(tower, inputs),
                              output_tensors = find_all(tower, config.outputs);
    graph.finalize();
    session.emplace(graph);
    session->initialize_variables();
    restore(config);
    predictor.emplace(*session, input_tensors, output_tensors, inputs, config.outputs, config.compile);
  }

  void restore(const PredictConfig& config) {
    const std::vector<Variable> variables = variables_in(graph, kGlobalVariables);
    if (!config.session_init || variables.empty() || config.allow_initial_values)
      return config.session_init.init(*session);
    const Callable any = session->make_callable({}, {variables.front()});
    const uint64_t before = any.version();
    config.session_init.init(*session);
    if (any.version() != before) return;
    throw UsageError(fmt::format(
        "[OfflinePredictor] expected session_init to set variables, got none of {} set ('{}', ...): the "
        "file may be of another model; .allow_initial_values = true predicts all the same",
        variables.size(), variables.front().name()));
  }

  Graph graph;
  std::optional<Session> session;
  std::optional<OnlinePredictor> predictor;
};

OfflinePredictor::OfflinePredictor(const PredictConfig& config) : engine_(std::make_shared<Engine>(config)) {}

std::vector<at::Tensor> OfflinePredictor::operator()(const std::vector<at::Tensor>& inputs) const {
  return (*engine_->predictor)(inputs);
}
const std::vector<std::string>& OfflinePredictor::input_names() const {
  return engine_->predictor->input_names();
}
const std::vector<std::string>& OfflinePredictor::output_names() const {
  return engine_->predictor->output_names();
}
void OfflinePredictor::predict_into(const std::vector<at::Tensor>& inputs,
                                    const std::vector<at::Tensor>& results) const {
  engine_->predictor->callable().run_into(inputs, results);
}
std::string OfflinePredictor::describe() const {
  return engine_->predictor->callable().describe();
}
const Graph& OfflinePredictor::graph() const {
  return engine_->graph;
}
Session& OfflinePredictor::session() const {
  return *engine_->session;
}

}  // namespace belfry
