#include "belfry/loop/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string_view>
#include <typeinfo>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/base/log.h"
#include "belfry/graph/needed_nodes.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/graph/variable.h"

// The loop is tensorpack's: callbacks in their order at each hook, the trainer's own step between before_run
// and after_run, a trigger at the end of each epoch. Whatever ends it, an error or a request to stop,
// after_train runs, and the first error is thrown.

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

/// Whether `e` is one of std's exceptions, LibTorch's or Belfry's, to which a context may be added without
/// hiding a class that the program wants to catch.
bool is_of_library(const std::exception& e) {
  const std::string_view mangled = typeid(e).name();
  return mangled.starts_with("St") || mangled.starts_with("NSt") || mangled.starts_with("N3c10") ||
         mangled.starts_with("N6belfry");
}

/// Rethrows the exception being handled, which `hook` of a callback has thrown, with the callback's name.
[[noreturn]] void rethrow_of_callback(const std::string& name, const char* hook) {
  std::string problem = "an exception of unknown type";
  bool add_context = false;
  try {
    throw;
  } catch (const std::exception& e) {
    problem = e.what();
    add_context = is_of_library(e) && problem.find("[" + name) == std::string::npos;
  } catch (...) {
  }
  if (add_context) rethrow_with_context(fmt::format("[{}] {}", name, hook));
  if (problem.find("[" + name) == std::string::npos) log_error("[{}] {}: {}", name, hook, problem);
  throw;
}

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

Trainer::Trainer()
    : session_(std::make_unique<Session>(graph_)),
      runner_([this](const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches) {
        return prepare_with_companions(feeds, fetches);
      }) {}
Trainer::~Trainer() = default;

std::string to_string(EndReason reason) {
  switch (reason) {
    case EndReason::kNone:
      return "it has not ended";
    case EndReason::kMaxEpoch:
      return "the last epoch is done";
    case EndReason::kStopRequested:
      return "it was asked to stop";
    case EndReason::kStopTraining:
      return "StopTraining was thrown";
    case EndReason::kEndOfData:
      return "the data is at its end";
    case EndReason::kNotFinite:
      return "a value is not finite";
    case EndReason::kFailed:
      return "an exception was thrown";
  }
  return "unknown";
}

TrainingEnd Trainer::train(const TrainOptions& options) {
  setup_callbacks(options);
  initialize(options.session_init);
  return main_loop(options.loop);
}

template <typename Call>
void Trainer::for_each_callback(const char* hook, Call call) {
  for (size_t i = 0; i < callbacks_.size(); ++i) {
    try {
      call(*callbacks_[i], i);
    } catch (const StopTraining& stop) {
      if (!holds_back(stop)) throw;
    } catch (...) {
      rethrow_of_callback(callbacks_[i]->name(), hook);
    }
  }
}

bool Trainer::register_callback(std::shared_ptr<Callback> callback) {
  if (!callback) throw UsageError("[Trainer] expected a callback, got null");
  if (is_set_up_) {
    throw UsageError(fmt::format("[Trainer] expected callbacks before setup_callbacks, got {} after it",
                                 callback->name()));
  }
  if (callback->runs_on_chief_only() && !is_chief()) {
    log_warning("Callback {} is chief-only, skipped.", callback->name());
    return false;
  }
  callbacks_.push_back(std::move(callback));
  return true;
}

void Trainer::run_together(const Tensor& op, const Tensor& companion) {
  if (!op || !companion) {
    throw UsageError(fmt::format("[Trainer] expected {} to run together with another, got none",
                                 op ? "a tensor" : "an operation"));
  }
  companions_.emplace_back(op, companion);
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
  for_each_callback("setup_graph", [&](Callback& callback, size_t i) {
    callback.attach(*this);
    NameScope scope(i < first_monitor ? callback.name() : "");
    callback.setup_graph();
  });
}

void Trainer::initialize(const AnySessionInit& init) {
  session_->initialize_variables();
  random_states_of_initializers_ = session_->random_states();
  if (init && is_chief()) {
    init->init(*session_);
  } else if (init) {
    log_info("This process is not the chief, whose variables it gets: its session_init is ignored.");
  }
  graph_.finalize();
  read_global_step();
}

TrainingEnd Trainer::main_loop(const LoopOptions& options) {
  loop_ = options;
  agree_on(loop_);
  check(loop_);
  epoch_num_ = loop_.starting_epoch - 1;
  steps_done_ = loop_.starting_step;
  GraphScope as_default(graph_);
  try {
    run_epochs();
  } catch (const StopTraining& e) {
    log_info("Training was stopped: {}", e.what());
    end_with(e.reason(), e.what());
  } catch (const std::exception& e) {
    log_error("Training failed at global_step={}", global_step_);
    end_with(EndReason::kFailed, e.what());
    after_train();
    throw;
  } catch (...) {
    log_error("Training failed at global_step={}", global_step_);
    end_with(EndReason::kFailed, "an exception of unknown type");
    after_train();
    throw;
  }
  after_train();
  return end_;
}

void Trainer::end_with(EndReason reason, std::string message) {
  end_ = {reason, std::move(message)};
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
  for_each_callback("before_train", [](Callback& callback, size_t) { callback.before_train(); });
  read_global_step();  // a callback may have set the variable
  if (loop_.starting_epoch > loop_.max_epoch) {
    log_warning("Nothing to train: it would begin with epoch {}, and max_epoch is {}.", loop_.starting_epoch,
                loop_.max_epoch);
  }
  for (epoch_num_ = loop_.starting_epoch; epoch_num_ <= loop_.max_epoch; ++epoch_num_) {
    if (!run_epoch()) {
      log_info("Training was asked to stop, at global_step={}.", global_step_);
      return end_with(EndReason::kStopRequested, to_string(EndReason::kStopRequested));
    }
  }
  --epoch_num_;
  log_info("Training has finished!");
  end_with(EndReason::kMaxEpoch, to_string(EndReason::kMaxEpoch));
}

bool Trainer::run_epoch() {
  const int64_t first = epoch_num_ == loop_.starting_epoch ? loop_.starting_step : 0;
  steps_done_ = first;
  if (must_stop()) return false;
  log_info("Start Epoch {} ...", epoch_num_);
  for_each_callback("before_epoch", [](Callback& callback, size_t) { callback.before_epoch(); });
  const auto start = Clock::now();
  for (int64_t step = first; step < loop_.steps_per_epoch; ++step) {
    if (must_stop()) return false;
    local_step_ = step;
    run_step();
    steps_done_ = step + 1;
    for_each_callback("trigger_step", [](Callback& callback, size_t) { callback.trigger_step(); });
  }
  for_each_callback("after_epoch", [](Callback& callback, size_t) { callback.after_epoch(); });
  log_info("Epoch {} (global_step {}) finished, time: {:.3g} seconds.", epoch_num_, global_step_,
           seconds_since(start));

  CallbackTimes times;
  for_each_callback("trigger_epoch", [&](Callback& callback, size_t) {
    const auto callback_start = Clock::now();
    callback.trigger_epoch();
    times.add(callback, seconds_since(callback_start));
  });
  times.log();
  return true;
}

void Trainer::run_step() {
  if (!train_op_) throw UsageError("[Trainer] expected set_train_op before training, or another run_step");
  run_hooked({train_op_}, step_values());
}

std::vector<at::Tensor> Trainer::run_hooked(const std::vector<Tensor>& fetches,
                                            const std::vector<at::Tensor>& batch) {
  std::vector<Tensor> wanted = fetches, fed = feed_tensors();
  std::vector<at::Tensor> given = batch;
  std::vector<size_t> counts;
  for_each_callback("before_run", [&](Callback& callback, size_t) {
    const std::vector<Tensor> asked = callback.before_run();
    counts.push_back(asked.size());
    wanted.insert(wanted.end(), asked.begin(), asked.end());
    for (auto& [tensor, value] : callback.feeds_of_run()) {
      const auto place = static_cast<size_t>(std::ranges::find(fed, tensor) - fed.begin());
      if (place == fed.size()) {
        fed.push_back(tensor);
        given.push_back(value);
      } else if (place < given.size()) {
        given[place] = value;
      }
    }
  });
  std::vector<at::Tensor> values = runner_.run(fed, wanted, given);
  auto next = values.begin() + static_cast<std::ptrdiff_t>(fetches.size());
  for_each_callback("after_run", [&](Callback& callback, size_t i) {
    const auto end = next + static_cast<std::ptrdiff_t>(counts[i]);
    callback.after_run({next, end});
    next = end;
  });
  values.resize(fetches.size());
  return values;
}

std::vector<at::Tensor> Trainer::run(const std::vector<Tensor>& fetches,
                                     const std::vector<at::Tensor>& batch) {
  return runner_.run(feed_tensors(), fetches, batch);
}

StepRunner::Run Trainer::prepare_run(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches) {
  return session_->make_callable({feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()});
}

StepRunner::Run Trainer::prepare_with_companions(const std::vector<Tensor>& feeds,
                                                 const std::vector<Tensor>& fetches) {
  std::vector<Tensor> all = fetches;
  for (const auto& [op, companion] : companions_) {
    if (is_needed(op.node(), fetches, feeds)) all.push_back(companion);
  }
  StepRunner::Run run = prepare_run(feeds, all);
  if (all.size() == fetches.size()) return run;
  return [run = std::move(run), count = fetches.size()](const std::vector<at::Tensor>& batch) {
    std::vector<at::Tensor> values = run(batch);
    values.resize(count);
    return values;
  };
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

std::map<std::string, at::Tensor> Trainer::random_states() const {
  std::map<std::string, at::Tensor> states = session_->random_states();
  std::erase_if(states, [&](const auto& item) {
    const auto initial = random_states_of_initializers_.find(item.first);
    return initial != random_states_of_initializers_.end() && initial->second.equal(item.second);
  });
  return states;
}

void Trainer::read_global_step() {
  GraphScope as_default(graph_);
  global_step_ = session_->value(get_global_step()).item<int64_t>();
}

std::shared_ptr<Predictor> Trainer::get_predictor(const std::vector<std::string>&,
                                                  const std::vector<std::string>&, c10::Device,
                                                  const CompileOptions&) {
  throw UsageError("[get_predictor] expected a trainer that knows its tower function, got one that does not");
}

Variable get_global_step() {
  constexpr char name[] = "global_step";
  if (const VariableRecord* existing = default_graph().find_variable(name)) return Variable(existing);
  GraphScope outside_of_all_scopes(default_graph());
  return get_variable(name, {}, {.dtype = kInt64, .trainable = false});
}

}  // namespace belfry
