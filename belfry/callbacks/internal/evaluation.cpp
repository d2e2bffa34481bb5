#include "belfry/callbacks/internal/evaluation.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/graph/scope.h"

namespace belfry::internal {

Evaluation::Evaluation(EvaluationConfig config) : config_(std::move(config)) {
  if (!config_.input) throw UsageError(fmt::format("[{}] expected an input, got null", config_.who));
}

void Evaluation::setup_graph(Trainer& trainer) {
  const Shared<InputSource>& input = config_.input;
  if (!input->is_finite() && !input->size()) {
    throw UsageError(
        fmt::format("[{}] expected an input that ends or has a size, got {}: an evaluation would "
                    "never end",
                    config_.who, input->name()));
  }
  TowerFunc* function = config_.tower_func ? config_.tower_func : trainer.tower_func();
  if (!function) {
    throw UsageError(fmt::format("[{}] expected a tower function, in the options or the trainer's, got none",
                                 config_.who));
  }
  samples_.emplace(config_.who, config_.batch_input, function->signature());
  input->setup(function->signature());
  std::set<std::string> built;
  for (const auto& tower : config_.towers) {
    if (built.insert(tower.name).second) build_tower(tower, *function);
  }
  for (const auto& inferencer : config_.inferencers) inferencer->setup_graph(trainer);
  for (const auto& tower : config_.towers) fetches_.push_back(fetches_of(*function->find_tower(tower.name)));
}

void Evaluation::build_tower(const EvaluationConfig::Tower& tower, TowerFunc& function) {
  if (function.find_tower(tower.name)) {
    throw UsageError(fmt::format("[{}] expected a tower_name of its own, got '{}', which another tower has",
                                 config_.who, tower.name));
  }
  log_info("[{}] Building tower '{}' on device {} ...", config_.who, tower.name, tower.device.str());
  VariableScope reuse("", {.reuse = Reuse::kReuse});
  TowerContext context(tower.name, {.is_training = false, .device = tower.device});
  function.build(context, config_.input->input_tensors());
}

std::vector<Tensor> Evaluation::fetches_of(const TowerTensorHandle& tower) const {
  std::vector<Tensor> fetches;
  for (const std::string& input : samples_->inputs()) fetches.push_back(tower.inputs()[input]);
  for (const auto& inferencer : config_.inferencers) {
    for (const std::string& fetch : inferencer->get_fetches()) fetches.push_back(tower.tensor(fetch));
  }
  return fetches;
}

void Evaluation::before_train(Trainer& trainer) {
  const std::vector<Tensor> feeds = config_.input->feed_tensors();
  for (const auto& fetches : fetches_) {
    callables_.push_back(compile(trainer.session(), {feeds.begin(), feeds.end()},
                                 {fetches.begin(), fetches.end()}, config_.compile));
  }
  if (const auto size = config_.input->size()) log_info("[{}] Will eval {} iterations", config_.who, *size);
}

void Evaluation::run(Trainer& trainer) {
  const Shared<InputSource>& input = config_.input;
  const std::string& name = config_.towers.front().name;
  for (const auto& inferencer : config_.inferencers) inferencer->before_inference();
  input->reset_state();
  samples_->start();
  taken_ = 0;
  int64_t batches = 0;
  {
    TerminalBar bar(input->size(), {.title = name});
    run_batches(trainer.stop_token(), [&](const std::vector<at::Tensor>& values) {
      give_to_inferencers(values);
      ++batches;
      bar.update();
    });
  }
  input->stop();
  if (trainer.stop_requested()) {
    log_info("[{}] stopped after {} batches, nothing is reported.", config_.who, batches);
    return;
  }
  if (batches == 0) throw DataError(fmt::format("[{} {}] expected data, got none", config_.who, name));
  if (const auto size = input->size(); size && batches != *size)
    log_warning("[{}] {} ended after {} batches, its size says {}.", config_.who, input->name(), batches,
                *size);
  for (const auto& inferencer : config_.inferencers) {
    for (const auto& [tag, value] : inferencer->after_inference()) trainer.monitors().put_scalar(tag, value);
  }
}

void Evaluation::run_batches(const std::stop_token& stop,
                             const std::function<void(std::vector<at::Tensor>)>& use) {
  if (callables_.size() == 1) {
    while (const auto batch = next_batch(stop)) use(callables_.front()(*batch));
    return;
  }
  using Workers = OrderedWorkers<Datapoint, std::vector<at::Tensor>>;
  Workers workers([this](const std::stop_token& token) { return next_batch(token); },
                  [this](Datapoint batch, Workers::Turn turn) { return callables_[turn.worker](batch); },
                  {.num_thread = callables_.size(), .window = 4 * callables_.size(), .stop = stop});
  while (auto values = workers.next()) use(std::move(*values));
}

/// The values to feed; nullopt at the end of the pass, or when `stop` is requested.
std::optional<Datapoint> Evaluation::next_batch(const std::stop_token& stop) {
  if (!config_.input->is_finite() && taken_ >= *config_.input->size()) return std::nullopt;
  std::optional<Datapoint> batch = config_.input->next(stop);
  if (stop.stop_requested()) return std::nullopt;
  ++taken_;
  return batch;
}

void Evaluation::give_to_inferencers(const std::vector<at::Tensor>& values) {
  const auto inputs_end = values.begin() + static_cast<std::ptrdiff_t>(samples_->inputs().size());
  std::vector<int64_t> sizes;
  for (auto input = values.begin(); input != inputs_end; ++input) sizes.push_back(input->size(0));
  const int64_t batch_size = samples_->count(sizes);
  auto next = inputs_end;
  for (const auto& inferencer : config_.inferencers) {
    const auto end = next + static_cast<std::ptrdiff_t>(inferencer->get_fetches().size());
    inferencer->on_fetches({next, end}, batch_size);
    next = end;
  }
}

}  // namespace belfry::internal
