#include "belfry/predict/offline_predictor.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/special_nodes.h"
#include "belfry/graph/variable.h"

namespace belfry {
namespace {

std::vector<Tensor> build_placeholders(const std::vector<TensorSpec>& signature) {
  std::vector<Tensor> placeholders;
  for (const TensorSpec& spec : signature) placeholders.push_back(add_placeholder(spec));
  return placeholders;
}

std::vector<Tensor> find_all(const TowerTensorHandle& tower, const std::vector<std::string>& names) {
  std::vector<Tensor> tensors;
  for (const std::string& name : names) tensors.push_back(tower.tensor(name));
  return tensors;
}

}  // namespace

struct OfflinePredictor::Model {
  explicit Model(const PredictConfig& config) {
    if (!config.model.defined())
      throw UsageError("[OfflinePredictor] expected a model in the config, got none");
    if (config.outputs.empty()) throw UsageError("[OfflinePredictor] expected names of outputs, got none");
    TowerFunc tower_func = config.model.tower_func();
    {
      GraphScope as_default(graph);
      const std::vector<Tensor> placeholders = build_placeholders(tower_func.signature());
      TowerContext tower("", {.is_training = false, .device = config.device});
      tower_func.build(tower, placeholders);
    }
    const TowerTensorHandle& tower = tower_func.towers().back();
    input_names = config.inputs.empty() ? names_of(tower_func.signature()) : config.inputs;
    inputs = find_all(tower, input_names);
    outputs = find_all(tower, config.outputs);
    graph.finalize();
    session.initialize_variables();
    restore(config);
  }

  void restore(const PredictConfig& config) {
    if (!config.session_init) return;
    const std::vector<Variable> variables = variables_in(graph, kGlobalVariables);
    if (variables.empty() || config.allow_initial_values) return config.session_init->init(session);
    const Callable any = session.make_callable({}, {variables.front()});
    const uint64_t before = any.version();
    config.session_init->init(session);
    if (any.version() != before) return;
    throw UsageError(fmt::format(
        "[OfflinePredictor] expected session_init to set variables, got none of {} set ('{}', ...): the "
        "file may be of another model; .allow_initial_values = true predicts all the same",
        variables.size(), variables.front().name()));
  }

  Graph graph;
  Session session{graph};
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> input_names;
};

OfflinePredictor::OfflinePredictor(const PredictConfig& config)
    : OfflinePredictor(std::make_shared<Model>(config), config) {}

OfflinePredictor::OfflinePredictor(std::shared_ptr<Model> model, const PredictConfig& config)
    : CompiledPredictor(model->session, model->inputs, model->outputs, model->input_names, config.outputs,
                        config.compile),
      model_(std::move(model)) {}

const Graph& OfflinePredictor::graph() const {
  return model_->graph;
}
Session& OfflinePredictor::session() const {
  return model_->session;
}

}  // namespace belfry
