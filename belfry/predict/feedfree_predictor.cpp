#include "belfry/predict/feedfree_predictor.h"

#include <utility>

#include "belfry/base/error.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/predict/internal/offline_graph.h"

namespace belfry {
namespace {

PredictConfig with_all_inputs(PredictConfig config) {
  config.inputs.clear();
  return config;
}

}  // namespace

struct FeedfreePredictor::Model : internal::OfflineGraph {
  Model(const PredictConfig& config, Shared<InputSource> source)
      : OfflineGraph(with_all_inputs(config), "FeedfreePredictor"), input(std::move(source)) {
    if (!input) throw UsageError("[FeedfreePredictor] expected an input source, got none");
    std::vector<Tensor> outputs;
    {
      GraphScope as_default(graph());
      input->setup(signature());
      outputs = build(config.device);
    }
    start();
    const std::vector<Tensor> fed = input->feed_tensors();
    callable.emplace(
        compile(session(), {fed.begin(), fed.end()}, {outputs.begin(), outputs.end()}, config.compile));
    input->reset_state();
  }

  std::vector<Tensor> build(c10::Device device) {
    return add_tower("", device, [this] { return input->input_tensors(); }).outputs;
  }

  Shared<InputSource> input;
  std::optional<CompiledCallable> callable;
};

FeedfreePredictor::FeedfreePredictor(const PredictConfig& config, Shared<InputSource> input)
    : model_(std::make_unique<Model>(config, std::move(input))) {}
FeedfreePredictor::FeedfreePredictor(FeedfreePredictor&&) noexcept = default;
FeedfreePredictor::~FeedfreePredictor() {
  if (model_) model_->input->stop();
}

std::optional<FeedfreePredictor::Result> FeedfreePredictor::operator()(std::stop_token stop) {
  const std::optional<Datapoint> values = model_->input->next(std::move(stop));
  if (!values) return std::nullopt;
  return (*model_->callable)(*values);
}

void FeedfreePredictor::reset_state() {
  model_->input->reset_state();
}

std::optional<int64_t> FeedfreePredictor::size() const {
  return model_->input->size();
}

}  // namespace belfry
