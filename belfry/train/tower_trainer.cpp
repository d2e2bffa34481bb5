#include "belfry/train/tower_trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/distributed/process_group.h"
#include "belfry/graph/scope.h"
#include "belfry/input/queue_input.h"
#include "belfry/layers/describe_model.h"
#include "belfry/predict/online_predictor.h"
#include "belfry/train/internal/lockstep.h"
#include "belfry/train/train_with_defaults.h"

// A tower trainer is a Trainer whose graph comes of a tower function, and whose steps take their data from an
// input. Invariant: what is run is prepared once for a set of fetches; where several processes train, a batch
// is taken only when all have one (train/internal/lockstep.h), so that none waits in a reduction for another.

namespace belfry {
namespace {

/// Starts an input with training and stops it after. Shows how full the queue of one that has one was on
/// average in each epoch: an empty queue says that the data is what training waits for.
class RunInput : public Callback {
 public:
  explicit RunInput(Shared<InputSource> input) : input_(std::move(input)) {}
  std::string name() const override { return input_->name(); }
  bool chief_only() const override { return false; }
  void setup_graph() override { queue_ = dynamic_cast<const QueueInput*>(&*input_); }
  void before_train() override { input_->reset_state(); }
  void before_epoch() override { sum_of_sizes_ = steps_ = 0; }
  void trigger_step() override {
    if (queue_) sum_of_sizes_ += static_cast<double>(queue_->queue_size());
    ++steps_;
  }
  void trigger_epoch() override {
    if (queue_ && steps_ > 0) trainer().monitors().put_scalar(name() + "/queue_size", sum_of_sizes_ / steps_);
  }
  void after_train() override { input_->stop(); }

 private:
  Shared<InputSource> input_;
  const QueueInput* queue_ = nullptr;
  double sum_of_sizes_ = 0, steps_ = 0;
};

/// Logs the layers and variables once all are there.
class LogModel : public Callback {
 public:
  std::string name() const override { return "LogModel"; }
  void setup_graph() override { log_info("{}", describe_model(trainer().graph())); }
};

/// Lets nodes be added to a graph, final or not.
class Reopened {
 public:
  explicit Reopened(Graph& graph) : graph_(graph), was_final_(graph.finalized()) { graph_.reopen(); }
  ~Reopened() {
    if (was_final_) graph_.finalize();
  }
  Reopened(const Reopened&) = delete;
  Reopened& operator=(const Reopened&) = delete;

 private:
  Graph& graph_;
  bool was_final_;
};

}  // namespace

/// Lets the processes have the same graph before training, and the same variables in it.
class TowerTrainer::KeepTogether : public Callback {
 public:
  explicit KeepTogether(TowerTrainer& owner) : owner_(owner) {}
  std::string name() const override { return "KeepTogether"; }
  bool chief_only() const override { return false; }
  void setup_graph() override { owner_.lockstep_->compare(trainer().graph()); }
  void trigger() override {
    if (owner_.distributed_.broadcast_every_epoch) owner_.lockstep_->broadcast_variables(trainer().session());
  }
  void after_train() override {
    if (!trainer().failed()) owner_.lockstep_->finish();
  }

 private:
  TowerTrainer& owner_;
};

TowerTrainer::TowerTrainer(const StepOptions& step) : step_options_(step) {}
TowerTrainer::~TowerTrainer() = default;

void TowerTrainer::train_in_all_processes(const DistributedTraining& options) {
  if (tower_func_) throw UsageError("[TowerTrainer] expected train_in_all_processes before set_tower_func");
  if (world_size() == 1) return;
  distributed_ = options;
  lockstep_ = std::make_unique<internal::Lockstep>();
  register_callback(std::make_shared<KeepTogether>(*this));
}

bool TowerTrainer::is_chief() const {
  return !lockstep_ || rank() == 0;
}

void TowerTrainer::initialize(const AnySessionInit& init) {
  Trainer::initialize(init);
  if (!lockstep_) return;
  lockstep_->broadcast_variables(session());
  GraphScope as_default(graph());
  read_global_step();
}

bool TowerTrainer::must_stop() {
  return !lockstep_ && stop_requested();  // next_batch() ends the others too
}

bool TowerTrainer::holds_back(const StopTraining& stop) {
  if (lockstep_) lockstep_->hold_back(stop);
  return lockstep_ != nullptr;
}

void TowerTrainer::agree_on(LoopOptions& options) {
  if (lockstep_) lockstep_->agree_on(options);
}

void TowerTrainer::set_tower_func(TowerFunc tower_func) {
  if (tower_func_) throw UsageError("[TowerTrainer] expected one tower function, got a second one");
  tower_func_.emplace(std::move(tower_func));
  register_callback(std::make_shared<LogModel>());
}

void TowerTrainer::set_input(Shared<InputSource> input) {
  if (!tower_func_) throw UsageError("[TowerTrainer] expected set_tower_func before set_input");
  if (!input) throw UsageError("[TowerTrainer] expected an input source, got null");
  if (input_)
    throw UsageError(fmt::format("[TowerTrainer] expected one input source, got {} too", input->name()));
  input_ = std::move(input);
  GraphScope as_default(graph());
  input_->setup(tower_func_->signature());
  register_callback(std::make_shared<RunInput>(input_));
}

Tensor TowerTrainer::build_training_tower() {
  if (!input_) throw UsageError("[TowerTrainer] expected set_input before build_training_tower");
  GraphScope as_default(graph(), current_device());
  TowerContext tower("", {.is_training = true});
  return tower_func_->build(tower, input_->input_tensors()).output();
}

std::vector<at::Tensor> TowerTrainer::next_batch() {
  if (!input_) throw UsageError("[TowerTrainer] expected set_input before next_batch");
  if (!lockstep_) return take_batch();
  return lockstep_->next([this] { return take_batch(); }, [this] { return input_progress(); },
                         stop_requested());
}

std::vector<at::Tensor> TowerTrainer::take_batch() {
  if (std::optional<Datapoint> batch = input_->next(stop_token())) return std::move(*batch);
  if (stop_requested()) throw StopTraining("it was asked to stop", EndReason::kStopRequested);
  throw StopTraining(fmt::format("the data of {} is at its end", input_->name()), EndReason::kEndOfData);
}

std::vector<at::Tensor> TowerTrainer::step_values() {
  return input_ ? next_batch() : std::vector<at::Tensor>();
}

std::vector<Tensor> TowerTrainer::feed_tensors() const {
  return input_ ? input_->feed_tensors() : std::vector<Tensor>();
}

StepRunner::Run TowerTrainer::prepare_run(const std::vector<Tensor>& feeds,
                                          const std::vector<Tensor>& fetches) {
  if (!compiler_) {
    compiler_.emplace(session(), step_options_);
    if (lockstep_) compiler_->set_agreement([this](bool here) { return lockstep_->all(here); });
  }
  const CompiledStep step =
      compiler_->compile({feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()});
  std::string name = fetches.empty() ? "nothing" : fetches[0].op_name();
  return [this, step, name = std::move(name)](const std::vector<at::Tensor>& batch) {
    return profiles_runs() ? measure(step, name, batch) : step(batch);
  };
}

std::vector<at::Tensor> TowerTrainer::measure(const CompiledStep& step, const std::string& name,
                                              const std::vector<at::Tensor>& batch) {
  std::vector<at::Tensor> results;
  const auto start = std::chrono::steady_clock::now();
  RunProfile run{.name = name, .instructions = step.profile(batch, &results)};
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (run.instructions.empty())
    run.why_none = step.is_compiled() ? "the plan did this run" : step.why_not_compiled();
  run.description = step.describe();
  add_run_profile(std::move(run));
  return results;
}

TrainingEnd TowerTrainer::train_with_defaults(const TrainWithDefaultsOptions& options) {
  return belfry::train_with_defaults(*this, options);
}

std::optional<DataProgress> TowerTrainer::data_progress() const {
  return lockstep_ ? lockstep_->data_progress() : input_progress();
}

std::optional<DataProgress> TowerTrainer::input_progress() const {
  const std::optional<DataPosition> position = input_ ? input_->position() : std::nullopt;
  if (!position) return std::nullopt;
  return DataProgress{.source = input_->name(),
                      .pass = position->pass,
                      .index = position->index,
                      .num_part = distributed_.shared_data ? world_size() : 1};
}

bool TowerTrainer::resume_data(const DataProgress& progress) {
  if (!input_) return false;
  DataPosition position{.pass = progress.pass, .index = progress.index};
  const int64_t num_part = distributed_.shared_data ? world_size() : 1;
  // With another number of processes a pass goes on at about the same datapoint. Shares that are smaller than
  // process 0's end one sooner, and are in the next pass already.
  if (num_part != progress.num_part) position.index = position.index * progress.num_part / num_part;
  if (const auto size = input_->data_size(); lockstep_ && size && *size > 0 && position.index > *size) {
    position.pass += position.index / *size;
    position.index %= *size;
  }
  return input_->resume_at(position);
}

std::shared_ptr<Predictor> TowerTrainer::get_predictor(const std::vector<std::string>& inputs,
                                                       const std::vector<std::string>& outputs,
                                                       c10::Device device, const CompileOptions& compile) {
  if (!tower_func_) throw UsageError("[get_predictor] expected set_tower_func to be called before");
  const TowerTensorHandle& tower = prediction_tower(device);
  std::vector<Tensor> input_tensors, output_tensors;
  for (const std::string& name : inputs) input_tensors.push_back(tower.tensor(name));
  for (const std::string& name : outputs) output_tensors.push_back(tower.tensor(name));
  return std::make_shared<OnlinePredictor>(session(), input_tensors, output_tensors, inputs, outputs,
                                           compile);
}

const TowerTensorHandle& TowerTrainer::prediction_tower(c10::Device device) {
  const std::string name =
      device.is_cpu() ? "tower-pred-cpu" : fmt::format("tower-pred-{}", static_cast<int>(device.index()));
  if (const TowerTensorHandle* existing = tower_func_->find_tower(name)) return *existing;
  log_info("Building graph for predict tower '{}' on device {} ...", name, device.str());
  Reopened reopened(graph());
  GraphScope as_default(graph());
  std::vector<Tensor> placeholders;
  for (const TensorSpec& spec : tower_func_->signature())
    placeholders.push_back(build_or_reuse_placeholder(spec));
  VariableScope reuse("", {.reuse = Reuse::kReuse});
  TowerContext tower(name, {.is_training = false, .device = device});
  return tower_func_->build(tower, placeholders);
}

}  // namespace belfry
