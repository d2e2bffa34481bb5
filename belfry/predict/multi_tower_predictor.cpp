#include "belfry/predict/multi_tower_predictor.h"

#include <fmt/format.h>

#include <utility>

#include "belfry/base/error.h"
#include "belfry/predict/internal/offline_graph.h"

namespace belfry {
namespace {

void check_devices(const std::vector<c10::Device>& devices, const char* who) {
  if (devices.empty()) throw UsageError(fmt::format("[{}] expected at least one device, got none", who));
}

/// Keeps its graph alive.
class TowerPredictor final : public OnlinePredictor {
 public:
  TowerPredictor(std::shared_ptr<internal::OfflineGraph> graph, const internal::OfflineGraph::Tower& tower)
      : OnlinePredictor(graph->session(), tower.inputs, tower.outputs, graph->input_names(),
                        graph->output_names(), graph->config().compile),
        graph_(std::move(graph)) {}

 private:
  std::shared_ptr<internal::OfflineGraph> graph_;
};

std::vector<std::shared_ptr<const Predictor>> predictor_of_each(const PredictConfig& config,
                                                                const std::vector<c10::Device>& devices) {
  constexpr const char* kWho = "MultiTowerOfflinePredictor";
  check_devices(devices, kWho);
  auto graph = std::make_shared<internal::OfflineGraph>(config, kWho);
  std::vector<internal::OfflineGraph::Tower> towers;
  {
    GraphScope as_default(graph->graph());
    const std::vector<Tensor> placeholders = internal::build_placeholders(graph->signature());
    for (size_t i = 0; i < devices.size(); ++i)
      towers.push_back(graph->add_tower(fmt::format("tower{}", i), devices[i], placeholders));
  }
  graph->start();
  std::vector<std::shared_ptr<const Predictor>> predictors;
  for (const auto& tower : towers) predictors.push_back(std::make_shared<TowerPredictor>(graph, tower));
  return predictors;
}

}  // namespace

MultiTowerOfflinePredictor::MultiTowerOfflinePredictor(const PredictConfig& config,
                                                       const std::vector<c10::Device>& devices)
    : PredictorList(predictor_of_each(config, devices)) {}

std::vector<std::shared_ptr<const Predictor>> MultiTowerOfflinePredictor::get_predictor(size_t count) const {
  std::vector<std::shared_ptr<const Predictor>> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(predictors()[i % predictors().size()]);
  return chosen;
}

struct DataParallelOfflinePredictor::Model : internal::OfflineGraph {
  Model(const PredictConfig& config, const std::vector<c10::Device>& devices)
      : OfflineGraph(config, "DataParallelOfflinePredictor") {
    check_devices(devices, "DataParallelOfflinePredictor");
    {
      GraphScope as_default(graph());
      for (size_t i = 0; i < devices.size(); ++i) {
        const std::string name = fmt::format("tower{}", i);
        Tower tower = add_tower(name, devices[i], internal::build_placeholders(signature(), name + "_"));
        all.inputs.insert(all.inputs.end(), tower.inputs.begin(), tower.inputs.end());
        all.outputs.insert(all.outputs.end(), tower.outputs.begin(), tower.outputs.end());
        for (const std::string& input : input_names()) all_inputs.push_back(name + "_" + input);
        for (const std::string& output : output_names()) all_outputs.push_back(name + "_" + output);
      }
    }
    start();
  }

  Tower all;
  std::vector<std::string> all_inputs, all_outputs;
};

DataParallelOfflinePredictor::DataParallelOfflinePredictor(const PredictConfig& config,
                                                           const std::vector<c10::Device>& devices)
    : DataParallelOfflinePredictor(std::make_shared<Model>(config, devices), config) {}

DataParallelOfflinePredictor::DataParallelOfflinePredictor(std::shared_ptr<Model> model,
                                                           const PredictConfig& config)
    : CompiledPredictor(model->session(), model->all.inputs, model->all.outputs, model->all_inputs,
                        model->all_outputs, config.compile),
      model_(std::move(model)) {}

}  // namespace belfry
