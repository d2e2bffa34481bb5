#include "belfry/step/internal/step_program.h"

#include <ATen/ops/clone.h>
#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/distributed/collectives.h"
#include "belfry/inference/internal/program_builder.h"
#include "belfry/inference/internal/run_program.h"
#include "belfry/program/numbers.h"
#include "belfry/step/internal/schedule.h"
#include "belfry/step/internal/step_pipeline.h"

// Variables are the weights of the head, where they lie in the session. Packed copies of them, which
// primitives want, are made anew when a variable was written since. What the head leaves for the tail stays
// in its block of memory: gradients go from the primitive that makes them to the update without a copy.

namespace belfry::internal {
namespace {

CompileOptions compile_options(const StepOptions& options) {
  CompileOptions result;
  result.primitives = options.primitives;
  result.plan_memory = options.plan_memory;
  result.check_numbers = options.check_numbers;
  return result;
}

/// As Program::run, and appends what its instructions took where that is wanted.
bool run(Program& program, std::vector<ProfiledStep>* profile) {
  return profile ? internal::profile(program, *profile) : program.run();
}

}  // namespace

StepProgram::StepProgram(StepFunction function, const std::vector<Tensor>& feeds,
                         const std::vector<Tensor>& fetches, VariableStore& store, const StepOptions& options,
                         std::shared_ptr<MemoryBlock> block)
    : function_(std::move(function)),
      fetches_(fetches),
      store_(store),
      check_numbers_(options.check_numbers) {
  build_head(options, std::move(block));
  if (!function_.checks.empty()) {
    checks_ = build_rest(function_.checks, options);
    report_ += "checks:\n" + checks_->describe();
  }
  tail_ = build_rest(function_.tail, options);
  report_ += "tail:\n" + tail_->describe();
  for (const Tensor& fetch : fetches_) {
    const auto feed = std::ranges::find(feeds, fetch);
    if (!fetch.has_value()) {
      results_.emplace_back(None());
    } else if (feed != feeds.end()) {
      results_.emplace_back(Feed{static_cast<size_t>(feed - feeds.begin())});
    } else {
      results_.emplace_back(tensors_.on(values_.at(fetch)));
    }
  }
}

TensorView StepProgram::variable(const Node& node) {
  VariableStore::Cell* cell = &store_.cell(node);
  if (!std::ranges::count(cells_, cell)) cells_.push_back(cell);
  return view_of(cell->memory);
}

void StepProgram::build_head(const StepOptions& options, std::shared_ptr<MemoryBlock> block) {
  Function& head = function_.head;
  head = run_step_pipeline(std::move(head), options, report_);
  std::vector<TensorView> weights;
  for (const Weight& weight : head.weights) weights.push_back(variable(weight.variable.tensor().node()));
  prepared_ = std::make_unique<Prepared>(std::move(weights));
  const CompileOptions compile = compile_options(options);
  ProgramBuilder builder(head, *prepared_, compile);
  builder.set_generators([&](const Node& node) {
    const auto found = function_.random.find(node.name());
    if (found == function_.random.end())
      throw InternalError(fmt::format("[step] '{}' has no node whose numbers it draws", node.name()));
    random_.push_back(found->second);
    return store_.generator(*found->second);
  });
  has_collectives_ = std::ranges::any_of(head.calls(), [](const Node* node) { return is_collective(*node); });
  builder.add_nodes(options.schedule ? schedule(head) : head.calls());
  for (const auto& [tensor, index] : function_.from_head) {
    const TensorView value = builder.value(head.outputs[index]);
    builder.keep(value);
    values_[tensor] = value;
  }
  head_ = builder.finish(std::move(block));
  report_ += "head:\n" + head_->describe();
}

std::unique_ptr<Program> StepProgram::build_rest(const std::vector<const Node*>& nodes,
                                                 const StepOptions& options) {
  CompileOptions compile = compile_options(options);
  compile.check_numbers = false;  // what is written is written
  ProgramBuilder builder(*prepared_, compile);
  builder.set_generators([&](const Node& node) { return store_.generator(node); });
  for (const auto& [tensor, value] : values_) builder.give(tensor, value);
  const auto give_variable = [&](const Tensor& tensor) {
    if (tensor.node().kind() != NodeKind::kVariable || values_.contains(tensor)) return;
    values_[tensor] = variable(tensor.node());
    builder.give(tensor, values_[tensor]);
  };
  for (const Tensor& fetch : fetches_) give_variable(fetch);
  for (const Node* node : nodes) {
    if (node->kind() == NodeKind::kGroup) continue;
    for (const Tensor& input : node->inputs()) give_variable(input);
    builder.add(*node);
    for (int index : node->mutated_inputs()) {
      VariableStore::Cell* cell = &store_.cell(node->inputs()[static_cast<size_t>(index)].node());
      if (!std::ranges::count(written_, cell)) written_.push_back(cell);
    }
  }
  for (const Tensor& fetch : fetches_) {
    if (!fetch.has_value() || values_.contains(fetch) || !builder.has_value(fetch)) continue;
    values_[fetch] = builder.value(fetch);
    builder.keep(values_[fetch]);
  }
  return builder.finish();
}

void StepProgram::check_variables() const {
  for (const VariableStore::Cell* cell : cells_) cell->value();
}

void StepProgram::set_feeds(const std::vector<at::Tensor>& feeds) {
  for (size_t i = 0; i < feeds.size(); ++i) head_->set_feed(i, feeds[i].data_ptr());
  if (packed_version_ == store_.version()) return;
  prepared_->pack();
  packed_version_ = store_.version();
}

/// Zeros around an image times infinity are NaN in ATen's convolutions, and not there in oneDNN's.
bool StepProgram::filters_are_ordinary() const {
  return std::ranges::all_of(prepared_->values(), [](const TensorView& value) {
    return value.type() != ElementType::kFloat32 || value.dim() != 4 ||
           all_are(Numbers::kOrdinary, {value.data_as<const float>(), static_cast<size_t>(value.numel())});
  });
}

bool StepProgram::run_head(const std::vector<at::Tensor>& feeds, std::vector<ProfiledStep>* profile) {
  random_states_ = random_states();
  if (check_numbers_ && !filters_are_ordinary()) return false;
  set_feeds(feeds);
  try {
    const bool done = run(*head_, profile);
    if (done && checks_) run(*checks_, profile);
    if (!done) set_random_states(random_states_);
    return done;
  } catch (...) {
    set_random_states(random_states_);
    throw;
  }
}

std::vector<at::Tensor> StepProgram::random_states() const {
  std::vector<at::Tensor> states;
  for (const Node* node : random_) {
    at::Generator generator = store_.generator(*node);
    const std::lock_guard lock(generator.mutex());
    states.push_back(generator.get_state());
  }
  return states;
}

void StepProgram::set_random_states(const std::vector<at::Tensor>& states) {
  for (size_t i = 0; i < states.size(); ++i) store_.set_generator_state(*random_[i], states[i]);
}

void StepProgram::note_writes() {
  if (written_.empty()) return;
  for (VariableStore::Cell* cell : written_) cell->memory.unsafeGetTensorImpl()->bump_version();
  store_.count_write();
}

void StepProgram::run_tail(std::vector<ProfiledStep>* profile) {
  try {
    run(*tail_, profile);
  } catch (...) {  // some of it may be done
    note_writes();
    throw;
  }
  note_writes();
}

std::vector<at::Tensor> StepProgram::results(const std::vector<at::Tensor>& feeds) const {
  tensors_.follow_memory();
  std::vector<at::Tensor> results;
  results.reserve(results_.size());
  for (const auto& result : results_) {
    if (const auto* feed = std::get_if<Feed>(&result)) {
      results.push_back(feeds[feed->index]);
    } else if (const auto* tensor = std::get_if<at::Tensor>(&result)) {
      results.push_back(tensor->clone(at::MemoryFormat::Contiguous));
    } else {
      results.emplace_back();
    }
  }
  return results;
}

bool StepProgram::has_cost_not_finite() const {
  return std::ranges::any_of(fetches_, [&](const Tensor& fetch) {
    return fetch.has_value() && fetch.rank() == 0 && function_.from_head.contains(fetch) &&
           find_not_finite(values_.at(fetch)) != NotFinite::kNone;
  });
}

std::string StepProgram::explain_not_finite(const std::vector<at::Tensor>& feeds) {
  const auto say = [](NotFinite what, const std::string& where) {
    return fmt::format("{} {}", what == NotFinite::kNaN ? "NaN" : "an infinity", where);
  };
  set_feeds(feeds);
  for (size_t i = 0; i < feeds.size(); ++i) {
    if (const NotFinite what = find_not_finite(head_->feeds()[i]); what != NotFinite::kNone)
      return say(what, fmt::format("is in what is fed to '{}'", function_.head.input_names[i]));
  }
  for (size_t i = 0; i < prepared_->values().size(); ++i) {
    if (const NotFinite what = find_not_finite(prepared_->values()[i]); what != NotFinite::kNone)
      return say(what, fmt::format("is in the variable '{}'", function_.head.weights[i].name));
  }
  const std::vector<at::Tensor> now = random_states();
  set_random_states(random_states_);
  const auto origin = head_->find_origin_of_not_finite();
  set_random_states(now);
  if (!origin) return "";
  const ProgramStep& step = head_->steps()[origin->step];
  return say(origin->what, fmt::format("comes first of '{}' ({})", step.name, step.instruction->describe()));
}

}  // namespace belfry::internal
