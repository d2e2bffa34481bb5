#include "belfry/callbacks/internal/evaluation.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/base/ordered_workers.h"
#include "belfry/base/terminal_bar.h"
#include "belfry/dataflow/split_data.h"
#include "belfry/distributed/process_group.h"
#include "belfry/graph/scope.h"
#include "belfry/input/feed_input.h"
#include "belfry/input/queue_input.h"

// Several processes run their shares of the batches, and every so many batches each tells the others its
// values, so that the inferencers of each see all values in the order of the data. Invariant: all processes
// exchange equally often, those whose share has ended too; who is asked to stop says so in an exchange.

namespace belfry::internal {
namespace {

/// How many batches a process runs before it tells the others their values: memory for time.
constexpr size_t kBatchesOfExchange = 16;

/// What a process tells the others.
struct BatchesOfProcess {
  std::vector<std::vector<at::Tensor>> values;
  bool is_end = false, stop = false;
};

void append(std::string& bytes, int64_t number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
}

int64_t take(std::string_view& bytes) {
  int64_t number = 0;
  if (bytes.size() < sizeof number) throw InternalError("[InferenceRunner] another process sent too little");
  std::memcpy(&number, bytes.data(), sizeof number);
  bytes.remove_prefix(sizeof number);
  return number;
}

std::string pack(const BatchesOfProcess& batches) {
  std::string bytes;
  append(bytes, (batches.is_end ? 1 : 0) + (batches.stop ? 2 : 0));
  append(bytes, static_cast<int64_t>(batches.values.size()));
  for (const auto& values : batches.values) {
    append(bytes, static_cast<int64_t>(values.size()));
    for (const at::Tensor& value : values) {
      const at::Tensor dense = value.cpu().contiguous();
      append(bytes, static_cast<int64_t>(dense.scalar_type()));
      append(bytes, dense.dim());
      for (const int64_t size : dense.sizes()) append(bytes, size);
      bytes.append(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
    }
  }
  return bytes;
}

BatchesOfProcess unpack(std::string_view bytes) {
  const int64_t flags = take(bytes);
  BatchesOfProcess batches{.values = {}, .is_end = (flags & 1) != 0, .stop = (flags & 2) != 0};
  batches.values.resize(static_cast<size_t>(take(bytes)));
  for (auto& values : batches.values) {
    values.resize(static_cast<size_t>(take(bytes)));
    for (at::Tensor& value : values) {
      const auto dtype = static_cast<at::ScalarType>(take(bytes));
      std::vector<int64_t> sizes(static_cast<size_t>(take(bytes)));
      for (int64_t& size : sizes) size = take(bytes);
      value = at::empty(sizes, dtype);
      std::memcpy(value.data_ptr(), bytes.data(), value.nbytes());
      bytes.remove_prefix(value.nbytes());
    }
  }
  return batches;
}

}  // namespace

Evaluation::Evaluation(EvaluationConfig config) : config_(std::move(config)) {
  if (!config_.input && !config_.dataflow)
    throw UsageError(fmt::format("[{}] expected an input, got null", config_.who));
}

/// A dataflow is divided before its batches are made. Of an input each process makes all, and uses its own.
void Evaluation::make_input(const Trainer& trainer) {
  is_distributed_ = trainer.is_distributed();
  const int64_t here = is_distributed_ ? rank() : 0, all = is_distributed_ ? world_size() : 1;
  if (!config_.dataflow) {
    part_ = here;
    num_part_ = all;
    return;
  }
  AnyDataFlow dataflow = *config_.dataflow;
  if (all > 1) dataflow = SplitData(std::move(dataflow), {.part = here, .num_part = all});
  if (config_.prefetch == 0) {
    config_.input = FeedInput(std::move(dataflow), {.infinite = false});
  } else {
    config_.input = QueueInput(std::move(dataflow), {.capacity = config_.prefetch, .infinite = false});
  }
}

void Evaluation::setup_graph(Trainer& trainer) {
  make_input(trainer);
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
  for (const auto& inferencer : config_.inferencers) {
    inferencer->attach(trainer);
    inferencer->setup_graph();
  }
  for (const auto& hook : config_.hooks) {
    hook->attach(trainer);
    hook->setup_graph();
  }
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
  for (const auto& hook : config_.hooks) {
    const std::vector<Tensor> asked = hook->before_run();
    fetches.insert(fetches.end(), asked.begin(), asked.end());
  }
  return fetches;
}

void Evaluation::before_train(Trainer& trainer) {
  for (const auto& inferencer : config_.inferencers) inferencer->before_train();
  for (const auto& hook : config_.hooks) hook->before_train();
  const std::vector<Tensor> feeds = config_.input->feed_tensors();
  for (const auto& fetches : fetches_) {
    callables_.push_back(compile(trainer.session(), {feeds.begin(), feeds.end()},
                                 {fetches.begin(), fetches.end()}, config_.compile));
  }
  if (const auto size = config_.input->size()) log_info("[{}] Will eval {} iterations", config_.who, *size);
}

void Evaluation::after_train() {
  config_.input->stop();
  for (const auto& inferencer : config_.inferencers) inferencer->after_train();
  for (const auto& hook : config_.hooks) hook->after_train();
}

void Evaluation::add_hook(Shared<Callback> hook) {
  if (!hook) throw UsageError(fmt::format("[{}] expected a hook, got null", config_.who));
  if (samples_)
    throw UsageError(
        fmt::format("[{}] expected hooks before setup_graph, got {}", config_.who, hook->name()));
  config_.hooks.push_back(std::move(hook));
}

void Evaluation::run(Trainer& trainer) {
  const Shared<InputSource>& input = config_.input;
  const std::string& name = config_.towers.front().name;
  for (const auto& inferencer : config_.inferencers) inferencer->before_inference();
  input->reset_state();
  samples_->start();
  taken_ = 0;
  int64_t batches = 0, own_batches = 0;
  bool stopped = false;
  std::vector<std::vector<at::Tensor>> own;  // that the other processes have not seen yet
  {
    std::optional<TerminalBar> bar;
    if (trainer.is_chief()) bar.emplace(input->size(), TerminalBarOptions{.title = name});
    run_batches(trainer.stop_token(), [&](std::vector<at::Tensor> values) {
      if (is_distributed_) {
        own.push_back(std::move(values));
        if (own.size() == kBatchesOfExchange)
          exchange(own, /*is_end=*/false, /*stop=*/false, batches, stopped);
      } else {
        give_to_inferencers(values);
        ++batches;
      }
      ++own_batches;
      if (bar) bar->update();
    });
    if (is_distributed_) {
      while (!exchange(own, /*is_end=*/true, trainer.stop_requested(), batches, stopped)) {
      }
    } else {
      stopped = trainer.stop_requested();
    }
  }
  input->stop();
  if (stopped) {
    log_info("[{}] stopped after {} batches, nothing is reported.", config_.who, batches);
    return;
  }
  if (batches == 0) throw DataError(fmt::format("[{} {}] expected data, got none", config_.who, name));
  if (const auto size = input->size(); size && own_batches != *size && num_part_ == 1)
    log_warning("[{}] {} ended after {} batches, its size says {}.", config_.who, input->name(), own_batches,
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
  while (config_.input->is_finite() || taken_ < *config_.input->size()) {
    std::optional<Datapoint> batch = config_.input->next(stop);
    if (!batch || stop.stop_requested()) return std::nullopt;
    if (taken_++ % num_part_ == part_) return batch;
  }
  return std::nullopt;
}

/// Gives the values of the batches that each process has run since the last time to the inferencers of all,
/// in the order of the data, and forgets them. Returns true when all are at the end, or one was asked to
/// stop: `stopped` says so.
bool Evaluation::exchange(std::vector<std::vector<at::Tensor>>& own, bool is_end, bool stop, int64_t& batches,
                          bool& stopped) {
  BatchesOfProcess here{.values = std::move(own), .is_end = is_end, .stop = stop};
  own.clear();
  std::vector<BatchesOfProcess> all;
  for (const std::string& bytes : process_group().all_gather(pack(here))) all.push_back(unpack(bytes));
  for (size_t i = 0; i < kBatchesOfExchange; ++i) {
    for (const BatchesOfProcess& other : all) {
      if (i >= other.values.size()) continue;
      give_to_inferencers(other.values[i]);
      ++batches;
    }
  }
  stopped = std::ranges::any_of(all, &BatchesOfProcess::stop);
  return stopped || std::ranges::all_of(all, &BatchesOfProcess::is_end);
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
  for (const auto& hook : config_.hooks) {
    const auto end = next + static_cast<std::ptrdiff_t>(hook->before_run().size());
    hook->after_run({next, end});
    next = end;
  }
}

}  // namespace belfry::internal
