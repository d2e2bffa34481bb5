#include "belfry/train/launch.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <unordered_set>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/collection.h"
#include "belfry/graph/node.h"
#include "belfry/train/internal/resume.h"

namespace belfry {
namespace {

Shared<InputSource> input_of(const TrainConfig& config, const SingleCostTrainer& trainer) {
  if (config.data && config.dataflow)
    throw UsageError("[TrainConfig] expected either .data or .dataflow, got both");
  if (config.data) return config.data;
  if (!config.dataflow) throw UsageError("[TrainConfig] expected .data or .dataflow, got neither");
  return trainer.make_input(*config.dataflow);
}

int64_t steps_per_epoch_of(const TrainConfig& config, const InputSource& input) {
  if (config.steps_per_epoch) return *config.steps_per_epoch;
  const std::optional<int64_t> size = input.size();
  if (size == 0)
    throw DataError(fmt::format("[TrainConfig] expected data, got none: the size of {} is 0", input.name()));
  if (size) return *size;
  throw UsageError("[TrainConfig] expected .steps_per_epoch, as the size of the data is not known");
}

void warn_of_unused_regularization(const Graph& graph) {
  std::unordered_set<Tensor> unused(graph.collection(kRegularizationLosses).begin(),
                                    graph.collection(kRegularizationLosses).end());
  for (const auto& node : graph.nodes()) {
    for (const Tensor& input : node->inputs()) unused.erase(input);
  }
  std::string names;
  for (const Tensor& loss : unused) names += (names.empty() ? "" : ", ") + loss.op_name();
  if (!names.empty())
    log_warning("Regularization losses that nothing uses; is one forgotten in the cost? {}", names);
}

}  // namespace

TrainingEnd launch_train_with_config(const TrainConfig& config, SingleCostTrainer& trainer) {
  if (!config.model) throw UsageError("[TrainConfig] expected .model, got none");
  const Shared<InputSource> input = input_of(config, trainer);
  const int64_t steps_per_epoch = steps_per_epoch_of(config, *input);
  const std::shared_ptr<ModelDesc> model = config.model;

  trainer.setup_graph(AnyModel(model).tower_func(), input, [&] { return model->optimizer(); });
  warn_of_unused_regularization(trainer.graph());

  TrainOptions options{
      .callbacks = config.callbacks,
      .monitors = config.monitors.value_or(std::vector<std::shared_ptr<Monitor>>()),
      .session_init = config.session_init,
      .loop = {.steps_per_epoch = steps_per_epoch,
               .starting_epoch = config.starting_epoch,
               .max_epoch = config.max_epoch},
      .log_dir = config.log_dir,
  };
  if (!config.monitors) options.monitors = default_monitors();
  for (const auto& callback : config.extra_callbacks ? *config.extra_callbacks : default_callbacks())
    options.callbacks.push_back(callback);

  const auto random_states = std::make_shared<internal::RestoreRandomStates>();
  if (config.epoch_from_global_step) options.callbacks.push_back(random_states);
  trainer.setup_callbacks(options);
  trainer.initialize(options.session_init);

  if (config.epoch_from_global_step) {
    const int64_t global_step = trainer.global_step();
    std::optional<TrainingState> state;
    if (trainer.is_chief()) state = internal::find_training_state(config.log_dir, global_step);
    if (trainer.is_distributed()) internal::broadcast_data_progress(state);
    if (trainer.is_chief() && steps_per_epoch > 0) {
      const auto history = internal::find_history(config.log_dir, global_step);
      const internal::Place place = internal::place_of(global_step, steps_per_epoch, state, history);
      options.loop.starting_epoch = place.epoch;
      options.loop.starting_step = place.step;
    }
    if (state) {
      internal::resume_data(trainer, *state);
      random_states->set(state->random);  // of the chief; those of the others start anew
    }
  }
  return trainer.main_loop(options.loop);
}

TrainingEnd launch_train_with_config(const TrainConfig& config, SingleCostTrainer&& trainer) {
  return launch_train_with_config(config, trainer);
}

}  // namespace belfry
