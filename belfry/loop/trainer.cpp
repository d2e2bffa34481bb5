#include "belfry/loop/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <exception>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/compile/online_predictor.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"

namespace belfry {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Says what slow callbacks cost: nothing below two seconds; names those that took a good part of it.
class CallbackTimes {
 public:
  void add(const Callback& callback, double seconds) {
    total_ += seconds;
    times_.emplace_back(callback.name(), seconds);
  }

  void log() const {
    if (total_ < 2) return;
    std::string heavy;
    for (const auto& [name, seconds] : times_) {
      if (seconds > 1 && seconds > 0.3 * total_)
        heavy += fmt::format("{}{}: {:.3g} seconds", heavy.empty() ? " " : "; ", name, seconds);
    }
    log_info("Callbacks took {:.3f} sec in total.{}", total_, heavy);
  }

 private:
  double total_ = 0;
  std::vector<std::pair<std::string, double>> times_;
};

}  // namespace

/// Increments the variable global_step in the very run that is a step, and the trainer's copy of it after.
class Trainer::StepCounter : public Callback {
 public:
  std::string name() const override { return "MaintainStepCounter"; }
  bool chief_only() const override { return false; }

  void setup_graph() override {
    const Variable step = get_global_step();
    NameScope root("");
    increment_ = graph().add("aten::add_.Scalar", {step}, {{"other", 1}}, "global_step_incr").output();
  }
  void before_train() override {
    if (trainer().global_step() != 0) log_info("Start training with global_step={}", trainer().global_step());
  }
  std::vector<Tensor> before_run() override { return {increment_}; }
  void after_run(const std::vector<at::Tensor>&) override { ++trainer().global_step_; }

 private:
  Graph& graph() { return trainer().graph(); }
  Tensor increment_;
};

Trainer::Trainer() : session_(std::make_unique<Session>(graph_)) {}
Trainer::~Trainer() = default;

void Trainer::train(const TrainOptions& options) {
  setup_callbacks(options);
  initialize(options.session_init);
  main_loop(options.loop);
}

bool Trainer::register_callback(std::shared_ptr<Callback> callback) {
  if (!callback) throw UsageError("[Trainer] expected a callback, got null");
  if (is_set_up_) {
    throw UsageError(fmt::format("[Trainer] expected callbacks before setup_callbacks, got {} after it",
                                 callback->name()));
  }
  if (callback->chief_only() && !is_chief()) {
    log_warning("Callback {} is chief-only, skipped.", callback->name());
    return false;
  }
  callbacks_.push_back(std::move(callback));
  return true;
}

void Trainer::setup_callbacks(const TrainOptions& options) {
  log_dir_ = options.log_dir;
  register_callback(std::make_shared<StepCounter>());
  for (const auto& callback : options.callbacks) register_callback(callback);
  const size_t first_monitor = callbacks_.size();
  monitors_.trainer_ = this;
  for (const auto& monitor : options.monitors) {
    if (register_callback(monitor)) monitors_.add(monitor);
  }
  is_set_up_ = true;

  GraphScope as_default(graph_);
  for (size_t i = 0; i < callbacks_.size(); ++i) {
    callbacks_[i]->attach(*this);
    NameScope scope(i < first_monitor ? callbacks_[i]->name() : "");
    callbacks_[i]->setup_graph();
  }
}

void Trainer::initialize(const AnySessionInit& init) {
  session_->initialize_variables();
  if (is_chief()) {
    init.init(*session_);
  } else if (init) {
    log_warning("This process is not the chief, its session_init is ignored.");
  }
  graph_.finalize();
  read_global_step();
}

void Trainer::main_loop(const LoopOptions& options) {
  check(options);
  loop_ = options;
  epoch_num_ = options.starting_epoch - 1;
  GraphScope as_default(graph_);
  try {
    run_epochs();
  } catch (const StopTraining& e) {
    log_info("Training was stopped: {}", e.what());
  } catch (...) {
    log_error("Training failed at global_step={}", global_step_);
    failed_ = true;
    after_train();
    throw;
  }
  after_train();
}

void Trainer::check(const LoopOptions& options) const {
  if (!is_set_up_) throw UsageError("[Trainer] expected setup_callbacks before main_loop, got no call of it");
  if (options.steps_per_epoch < 0)
    throw UsageError(fmt::format("[Trainer] expected steps_per_epoch >= 0, got {}", options.steps_per_epoch));
  if (options.starting_epoch < 1)
    throw UsageError(fmt::format("[Trainer] expected starting_epoch >= 1, got {}", options.starting_epoch));
  if (options.starting_step < 0 || options.starting_step > options.steps_per_epoch) {
    throw UsageError(fmt::format("[Trainer] expected starting_step from 0 to steps_per_epoch = {}, got {}",
                                 options.steps_per_epoch, options.starting_step));
  }
}

void Trainer::run_epochs() {
  for (const auto& callback : callbacks_) callback->before_train();
  read_global_step();  // a callback may have set the variable
  for (epoch_num_ = loop_.starting_epoch; epoch_num_ <= loop_.max_epoch; ++epoch_num_) {
    if (!run_epoch()) {
      log_info("Training was asked to stop, at global_step={}.", global_step_);
      return;
    }
  }
  --epoch_num_;
  log_info("Training has finished!");
}

bool Trainer::run_epoch() {
  if (stop_requested()) return false;
  log_info("Start Epoch {} ...", epoch_num_);
  for (const auto& callback : callbacks_) callback->before_epoch();
  const auto start = Clock::now();
  const int64_t first = epoch_num_ == loop_.starting_epoch ? loop_.starting_step : 0;
  for (int64_t step = first; step < loop_.steps_per_epoch; ++step) {
    if (stop_requested()) return false;
    local_step_ = step;
    run_step();
    for (const auto& callback : callbacks_) callback->trigger_step();
  }
  for (const auto& callback : callbacks_) callback->after_epoch();
  log_info("Epoch {} (global_step {}) finished, time: {:.3g} seconds.", epoch_num_, global_step_,
           seconds_since(start));

  CallbackTimes times;
  for (const auto& callback : callbacks_) {
    const auto callback_start = Clock::now();
    callback->trigger_epoch();
    times.add(*callback, seconds_since(callback_start));
  }
  times.log();
  return true;
}

std::vector<at::Tensor> Trainer::run_hooked(const std::vector<Tensor>& fetches, const Feeds& feeds) {
  std::vector<Fetch> wanted(fetches.begin(), fetches.end());
  std::vector<size_t> counts;
  for (const auto& callback : callbacks_) {
    const std::vector<Tensor> asked = callback->before_run();
    counts.push_back(asked.size());
    wanted.insert(wanted.end(), asked.begin(), asked.end());
  }
  std::vector<at::Tensor> values = session_->run(wanted, feeds);
  auto next = values.begin() + static_cast<std::ptrdiff_t>(fetches.size());
  for (size_t i = 0; i < callbacks_.size(); ++i) {
    const auto end = next + static_cast<std::ptrdiff_t>(counts[i]);
    callbacks_[i]->after_run({next, end});
    next = end;
  }
  values.resize(fetches.size());
  return values;
}

void Trainer::after_train() {
  for (const auto& callback : callbacks_) {
    try {
      callback->after_train();
    } catch (const std::exception& e) {
      log_error("[{}] failed after training: {}", callback->name(), e.what());
    }
  }
}

void Trainer::read_global_step() {
  GraphScope as_default(graph_);
  global_step_ = session_->value(get_global_step()).item<int64_t>();
}

std::shared_ptr<OnlinePredictor> Trainer::get_predictor(const std::vector<std::string>&,
                                                        const std::vector<std::string>&, c10::Device) {
  throw UsageError("[get_predictor] expected a trainer that knows its tower function, got one that does not");
}

Variable get_global_step() {
  constexpr char name[] = "global_step";
  if (const VariableRecord* existing = default_graph().find_variable(name)) return Variable(existing);
  GraphScope outside_of_all_scopes(default_graph());
  return get_variable(name, {}, {.dtype = kInt64, .trainable = false});
}

}  // namespace belfry
