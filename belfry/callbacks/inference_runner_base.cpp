#include "belfry/callbacks/inference_runner_base.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/graph/scope.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/queue_input.h"
#include "belfry/loop/trainer.h"

namespace belfry {

InferenceRunnerBase::InferenceRunnerBase(Shared<InputSource> input, Inferencers inferencers,
                                         std::vector<Tower> towers, TowerFunc* tower_func,
                                         std::string batch_input)
    : input_(std::move(input)),
      inferencers_(std::move(inferencers)),
      towers_(std::move(towers)),
      tower_func_(tower_func),
      batch_input_(std::move(batch_input)) {
  if (!input_) throw UsageError("[InferenceRunner] expected an input, got null");
}

Shared<InputSource> InferenceRunnerBase::one_pass(AnyDataFlow dataflow, size_t prefetch) {
  if (prefetch == 0) return FeedInput(std::move(dataflow), {.infinite = false});
  return QueueInput(std::move(dataflow), {.capacity = prefetch, .infinite = false});
}

void InferenceRunnerBase::setup_graph() {
  if (!input_->is_finite() && !input_->size()) {
    throw UsageError(
        fmt::format("[{}] expected an input that ends or has a size, got {}: an evaluation would "
                    "never end",
                    name(), input_->name()));
  }
  TowerFunc* function = tower_func_ ? tower_func_ : trainer().tower_func();
  if (!function) {
    throw UsageError(
        fmt::format("[{}] expected a tower function, in the options or the trainer's, got none", name()));
  }
  choose_batch_inputs(function->signature());
  input_->setup(function->signature());
  std::set<std::string> built;
  for (const Tower& tower : towers_) {
    if (built.insert(tower.name).second) build_tower(tower, *function);
  }
  for (const auto& inferencer : inferencers_) inferencer->setup_graph(trainer());
  for (const Tower& tower : towers_) fetches_.push_back(fetches_of(*function->find_tower(tower.name)));
}

void InferenceRunnerBase::choose_batch_inputs(const std::vector<TensorSpec>& signature) {
  std::vector<std::string> dynamic, with_first;
  std::set<int64_t> static_sizes;
  for (const TensorSpec& spec : signature) {
    if (spec.shape.empty()) continue;
    with_first.push_back(spec.name);
    if (spec.shape[0] == kDynamic) dynamic.push_back(spec.name);
    static_sizes.insert(spec.shape[0]);
  }
  if (!batch_input_.empty()) {
    if (std::find(with_first.begin(), with_first.end(), batch_input_) == with_first.end()) {
      throw UsageError(
          fmt::format("[{}] expected .batch_input to be an input with a first dimension ({}), got '{}'",
                      name(), fmt::join(with_first, ", "), batch_input_));
    }
    batch_inputs_ = {batch_input_};
  } else if (!dynamic.empty()) {
    batch_inputs_ = dynamic;
  } else if (static_sizes.size() == 1) {
    batch_inputs_ = with_first;
  }
  counts_batches_ = batch_inputs_.empty();
  if (!counts_batches_) {
    log_info("[{}] Samples of a batch are counted by the first dimension of: {}", name(),
             fmt::join(batch_inputs_, ", "));
  } else {
    log_warning("[{}] {}: each batch counts as one sample. Name the input that counts in .batch_input.",
                name(),
                with_first.empty() ? "No input has a first dimension"
                                   : "The first dimensions of the inputs are fixed and differ");
  }
}

int64_t InferenceRunnerBase::samples_in(const std::vector<int64_t>& sizes) {
  if (batch_inputs_.empty()) return 1;
  const bool agree = std::equal(sizes.begin() + 1, sizes.end(), sizes.begin());
  if (evaluated_ == 0) counts_batches_ = !agree;
  if (counts_batches_) {
    if (!std::exchange(warned_, true)) {
      log_warning(
          "[{}] The inputs {} have first dimensions of {}: each batch counts as one sample. Name the input "
          "that counts in .batch_input.",
          name(), fmt::join(batch_inputs_, ", "), fmt::join(sizes, ", "));
    }
    return 1;
  }
  if (!agree) {
    throw UsageError(fmt::format(
        "[{}] expected inputs with one first dimension ({}), as in the batches before, got {} in batch {}; "
        "name the input that counts in .batch_input",
        name(), fmt::join(batch_inputs_, ", "), fmt::join(sizes, ", "), evaluated_));
  }
  return sizes[0];
}

void InferenceRunnerBase::build_tower(const Tower& tower, TowerFunc& function) {
  if (function.find_tower(tower.name)) {
    throw UsageError(fmt::format("[{}] expected a tower_name of its own, got '{}', which another tower has",
                                 name(), tower.name));
  }
  log_info("[{}] Building tower '{}' on device {} ...", name(), tower.name, tower.device.str());
  VariableScope reuse("", {.reuse = Reuse::kReuse});
  TowerContext context(tower.name, {.is_training = false, .device = tower.device});
  function.build(context, input_->input_tensors());
}

std::vector<Tensor> InferenceRunnerBase::fetches_of(const TowerTensorHandle& tower) const {
  std::vector<Tensor> fetches;
  for (const std::string& input : batch_inputs_) fetches.push_back(tower.inputs()[input]);
  for (const auto& inferencer : inferencers_) {
    for (const std::string& fetch : inferencer->get_fetches()) fetches.push_back(tower.tensor(fetch));
  }
  return fetches;
}

void InferenceRunnerBase::before_train() {
  const std::vector<Tensor> feeds = input_->feed_tensors();
  for (const auto& fetches : fetches_) {
    callables_.push_back(
        compile(trainer().session(), {feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()}));
  }
  if (const auto size = input_->size()) log_info("[{}] Will eval {} iterations", name(), *size);
}

void InferenceRunnerBase::trigger() {
  for (const auto& inferencer : inferencers_) inferencer->before_inference();
  input_->reset_state();
  taken_ = evaluated_ = 0;
  int64_t batches = 0;
  {
    TerminalBar bar(input_->size(), {.title = towers_.front().name});
    run_batches([&](const std::vector<at::Tensor>& values) {
      give_to_inferencers(values);
      ++batches;
      bar.update();
    });
  }
  input_->stop();
  if (trainer().stop_requested()) {
    log_info("[{}] stopped after {} batches, nothing is reported.", name(), batches);
    return;
  }
  if (batches == 0)
    throw DataError(fmt::format("[{} {}] expected data, got none", name(), towers_.front().name));
  if (const auto size = input_->size(); size && batches != *size)
    log_warning("[{}] {} ended after {} batches, its size says {}.", name(), input_->name(), batches, *size);
  report();
}

std::optional<Datapoint> InferenceRunnerBase::next_batch(std::stop_token stop) {
  if (!input_->is_finite() && taken_ >= *input_->size()) return std::nullopt;
  std::optional<Datapoint> batch = input_->next(stop);
  if (stop.stop_requested()) return std::nullopt;
  ++taken_;
  return batch;
}

void InferenceRunnerBase::give_to_inferencers(const std::vector<at::Tensor>& values) {
  const auto inputs_end = values.begin() + static_cast<std::ptrdiff_t>(batch_inputs_.size());
  std::vector<int64_t> sizes;
  for (auto input = values.begin(); input != inputs_end; ++input) sizes.push_back(input->size(0));
  const int64_t batch_size = samples_in(sizes);
  ++evaluated_;
  auto next = inputs_end;
  for (const auto& inferencer : inferencers_) {
    const auto end = next + static_cast<std::ptrdiff_t>(inferencer->get_fetches().size());
    inferencer->on_fetches({next, end}, batch_size);
    next = end;
  }
}

void InferenceRunnerBase::report() {
  for (const auto& inferencer : inferencers_) {
    for (const auto& [tag, value] : inferencer->after_inference())
      trainer().monitors().put_scalar(tag, value);
  }
}

void InferenceRunnerBase::after_train() {
  input_->stop();
}

}  // namespace belfry
