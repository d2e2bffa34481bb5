#include "belfry/predict/offline_predictor.h"

#include <utility>

#include "belfry/predict/internal/offline_graph.h"

namespace belfry {

struct OfflinePredictor::Model : internal::OfflineGraph {
  explicit Model(const PredictConfig& config) : OfflineGraph(config, "OfflinePredictor") {
    {
      GraphScope as_default(graph());
      tower = add_tower("", config.device, internal::build_placeholders(signature()));
    }
    start();
  }

  Tower tower;
};

OfflinePredictor::OfflinePredictor(const PredictConfig& config)
    : OfflinePredictor(std::make_shared<Model>(config), config) {}

OfflinePredictor::OfflinePredictor(std::shared_ptr<Model> model, const PredictConfig& config)
    : CompiledPredictor(model->session(), model->tower.inputs, model->tower.outputs, model->input_names(),
                        model->output_names(), config.compile),
      model_(std::move(model)) {}

const Graph& OfflinePredictor::graph() const {
  return model_->graph();
}
Session& OfflinePredictor::session() const {
  return model_->session();
}

}  // namespace belfry
