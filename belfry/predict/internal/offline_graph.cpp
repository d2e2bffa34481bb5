#include "belfry/predict/internal/offline_graph.h"

#include <fmt/format.h>

#include <optional>

#include "belfry/base/error.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/special_nodes.h"
#include "belfry/graph/variable.h"

namespace belfry::internal {
namespace {

TowerFunc checked_tower_func(const PredictConfig& config, std::string_view who) {
  if (!config.model.defined())
    throw UsageError(fmt::format("[{}] expected a model in the config, got none", who));
  if (config.outputs.empty()) throw UsageError(fmt::format("[{}] expected names of outputs, got none", who));
  return config.model.tower_func();
}

std::unique_ptr<Graph> new_graph(const PredictConfig& config, std::string_view who) {
  if (config.create_graph) {
    if (!config.session) return std::make_unique<Graph>();
    throw UsageError(fmt::format(
        "[{}] expected create_graph = false with a session, got true: a new graph has none", who));
  }
  const Graph* joined = default_graph_or_null();
  if (!joined)
    throw UsageError(fmt::format("[{}] expected a default graph to join, got none: enter a GraphScope", who));
  if (config.session && &config.session->graph() != joined)
    throw UsageError(fmt::format("[{}] expected a session of the default graph, got one of another", who));
  return nullptr;
}

std::vector<Tensor> find_all(const TowerTensorHandle& tower, const std::vector<std::string>& names) {
  std::vector<Tensor> tensors;
  for (const std::string& name : names) tensors.push_back(tower.tensor(name));
  return tensors;
}

}  // namespace

std::vector<Tensor> build_placeholders(const std::vector<TensorSpec>& signature, const std::string& prefix) {
  std::vector<Tensor> placeholders;
  for (TensorSpec spec : signature) {
    spec.name = prefix + spec.name;
    placeholders.push_back(add_placeholder(spec));
  }
  return placeholders;
}

OfflineGraph::OfflineGraph(const PredictConfig& config, std::string_view who)
    : config_(config),
      who_(who),
      tower_func_(checked_tower_func(config, who)),
      own_graph_(new_graph(config, who)),
      graph_(own_graph_ ? *own_graph_ : default_graph()),
      own_session_(config.session ? nullptr : std::make_unique<Session>(graph_)),
      session_(config.session ? *config.session : *own_session_),
      ends_final_(own_graph_ || graph_.finalized()) {
  graph_.reopen();
}

OfflineGraph::~OfflineGraph() {
  if (ends_final_) graph_.finalize();  // also where the towers could not be built
}

OfflineGraph::Tower OfflineGraph::add_tower(const std::string& name, c10::Device device,
                                            const std::function<std::vector<Tensor>()>& make_tensors) {
  std::optional<VariableScope> reused;
  const bool is_first = tower_func_.towers().empty();
  if (!is_first || !own_graph_)
    reused.emplace("", VariableScope::Options{.reuse = is_first ? Reuse::kAuto : Reuse::kReuse});
  const std::string scope = own_graph_ ? name : graph_.unique_name(name.empty() ? who_ : name);
  {
    TowerContext tower(scope, {.is_training = false, .device = device});
    tower_func_.build(tower, make_tensors());
  }
  const TowerTensorHandle& handle = tower_func_.towers().back();
  return {find_all(handle, input_names()), find_all(handle, output_names())};
}

std::vector<std::string> OfflineGraph::input_names() const {
  if (!config_.inputs.empty()) return config_.inputs;
  std::vector<std::string> names;
  for (const TensorSpec& spec : signature()) names.push_back(spec.name);
  return names;
}

std::vector<std::string> OfflineGraph::output_names() const {
  std::vector<std::string> names = config_.outputs;
  if (config_.return_input) {
    for (const std::string& name : input_names()) names.push_back(name);
  }
  return names;
}

void OfflineGraph::start() {
  if (ends_final_) graph_.finalize();
  session_.initialize_variables();
  if (!config_.session_init) return;
  const std::vector<Variable> variables = variables_in(graph_, kGlobalVariables);
  if (variables.empty() || config_.allow_initial_values) return config_.session_init->init(session_);
  const Callable any = session_.make_callable({}, {variables.front()});
  const uint64_t before = any.version();
  config_.session_init->init(session_);
  if (any.version() != before) return;
  throw UsageError(fmt::format(
      "[{}] expected session_init to set variables, got none of {} set ('{}', ...): the file may be of "
      "another model; .allow_initial_values = true predicts all the same",
      who_, variables.size(), variables.front().name()));
}

}  // namespace belfry::internal
