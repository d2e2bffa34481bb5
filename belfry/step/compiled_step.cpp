#include "belfry/step/compiled_step.h"

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/error_context.h"
#include "belfry/base/log.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/inference/internal/run_program.h"
#include "belfry/program/adapt_to_load.h"
#include "belfry/program/in_parallel.h"
#include "belfry/runtime/internal/order.h"
#include "belfry/runtime/internal/plan.h"
#include "belfry/runtime/internal/reuse_memory.h"
#include "belfry/step/internal/step_function.h"
#include "belfry/step/internal/step_program.h"

// A call finds the program for the shapes of its feeds and the number of threads, or makes it. Invariant:
// until the head has run to its end, and no NaN was lost in it, nothing is written, so that the ordinary plan
// can still answer the call. So it does where the head throws: values that an operator refuses are refused by
// the plan too, in its words. A head that fails where the plan does not is not run again.

namespace belfry {

using namespace internal;

struct StepCompiler::Memory {
  std::mutex mutex;  ///< who holds it has the block
  std::shared_ptr<MemoryBlock> block = std::make_shared<MemoryBlock>();
};

struct CompiledStep::State {
  using Memory = StepCompiler::Memory;
  explicit State(std::shared_ptr<Memory> its_memory) : memory(std::move(its_memory)) {}

  StepOptions options;
  std::function<bool(bool)> all;  ///< none where no other process takes part
  Callable plain;                 ///< runs it uncompiled, and checks feeds
  std::shared_ptr<VariableStore> store;
  std::string why_not;  ///< why it is not compiled; "" where it is

  struct Shaped {
    std::vector<Shape> shapes;
    int threads;  ///< that it is made for
    std::unique_ptr<StepProgram> program;
  };
  std::shared_ptr<Memory> memory;
  std::mutex& mutex = memory->mutex;  ///< guards the rest, and the block
  std::list<Shaped> programs;         ///< most recently used first
  int64_t runs = 0;
  bool told_of_plan = false, told_of_cost = false;

  /// Null where none can be made.
  StepProgram* find_or_make(const std::vector<at::Tensor>& feeds) {
    const auto found = std::ranges::find_if(programs, [&](const Shaped& entry) {
      if (entry.threads != thread_count()) return false;
      for (size_t i = 0; i < feeds.size(); ++i) {
        if (feeds[i].sizes() != at::IntArrayRef(entry.shapes[i])) return false;
      }
      return true;
    });
    if (found != programs.end()) {
      programs.splice(programs.begin(), programs, found);
      return programs.front().program.get();
    }
    std::vector<Shape> shapes;
    for (const at::Tensor& feed : feeds) shapes.push_back(feed.sizes().vec());
    try {
      if (auto function = make_step_function(plain.feeds(), plain.fetches(), shapes, &why_not)) {
        programs.push_front({std::move(shapes), thread_count(),
                             std::make_unique<StepProgram>(std::move(*function), plain.feeds(),
                                                           plain.fetches(), *store, options, memory->block)});
        if (static_cast<int64_t>(programs.size()) > std::max<int64_t>(options.max_shapes, 1))
          programs.pop_back();
        return programs.front().program.get();
      }
    } catch (const OutOfMemoryError&) {
      std::string fed;
      for (size_t i = 0; i < feeds.size(); ++i)
        fed += fmt::format(" '{}' {}", plain.feeds()[i].op_name(), to_string(feeds[i].sizes().vec()));
      rethrow_with_context(fmt::format("[step] for feeds of{}", fed));
    } catch (const c10::Error& e) {
      why_not = e.what_without_backtrace();
    } catch (const std::exception& e) {
      why_not = e.what();
    }
    log_warning("[step] this step runs uncompiled: {}", why_not);
    return nullptr;
  }

  void give_up(const std::string& reason) {
    const std::lock_guard lock(mutex);
    why_not = reason;
    log_warning("[step] this step runs uncompiled: {}", why_not);
  }

  /// Whether the step was done; where not, nothing was written.
  template <typename Run>
  bool run_compiled(const std::vector<at::Tensor>& feeds, Run run) {
    const std::lock_guard lock(mutex);
    if (!why_not.empty()) return false;
    const c10::InferenceMode normal_tensors(false);
    const BelowAutograd no_autograd;
    const ReuseMemory reuse_memory;
    at::internal::lazy_init_num_threads();
    const Threads fewer(options.adapt_threads ? threads_worth_using(thread_count()) : thread_count());
    StepProgram* program = find_or_make(feeds);
    if (!program) return false;
    program->check_variables();
    return run(*program);
  }

  /// Of each kind once: to find out where they come from takes another run.
  void tell_of_numbers(StepProgram& program, const std::vector<at::Tensor>& feeds, bool is_right) {
    ++runs;
    if (!is_right && !std::exchange(told_of_plan, true)) {
      log_warning(
          "[step] run {} met NaN, or numbers that give NaN, and the plan did it, as it does all such runs "
          "(StepOptions::check_numbers): {}",
          runs, or_nothing(program.explain_not_finite(feeds)));
    } else if (is_right && options.check_numbers && !told_of_cost && program.has_cost_not_finite()) {
      told_of_cost = true;
      log_warning("[step] run {} gives a scalar that is not finite: {}", runs,
                  or_nothing(program.explain_not_finite(feeds)));
    }
  }

  void tell_of_others() {
    if (std::exchange(told_of_plan, true)) return;
    log_warning(
        "[step] a process met NaN, or numbers that give NaN, and the plan did this run in all of them, as it "
        "does "
        "all such runs (StepOptions::check_numbers); in one process alone the log says where they come "
        "from.");
  }

  static std::string or_nothing(const std::string& origin) {
    return origin.empty() ? "all that it computes compiled is finite" : origin;
  }
};

std::vector<at::Tensor> CompiledStep::operator()(const std::vector<at::Tensor>& feeds) const {
  return run(feeds, nullptr);
}

std::vector<ProfiledStep> CompiledStep::profile(const std::vector<at::Tensor>& feeds,
                                                std::vector<at::Tensor>* results) const {
  std::vector<ProfiledStep> steps;
  std::vector<at::Tensor> values = run(feeds, &steps);
  if (results) *results = std::move(values);
  return steps;
}

std::vector<at::Tensor> CompiledStep::run(const std::vector<at::Tensor>& feeds,
                                          std::vector<ProfiledStep>* profile) const {
  State& state = *state_;
  state.plain.check_feeds(feeds);
  if (!is_compiled()) return state.plain(feeds);
  const std::vector<at::Tensor> given = dense(feeds);
  std::vector<at::Tensor> results;
  std::string failure;
  const bool done = state.run_compiled(given, [&](StepProgram& program) {
    try {
      bool is_right = program.run_head(given, profile);
      if (state.all && program.has_collectives()) {
        if (state.options.check_numbers && !state.all(is_right)) program.rewind(), is_right = false;
        if (!is_right) state.tell_of_others();
      } else {
        state.tell_of_numbers(program, given, is_right);
      }
      if (!is_right) return false;
    } catch (const std::exception& e) {
      if (program.has_collectives()) throw;
      failure = e.what();
      return false;
    }
    program.run_tail(profile);
    results = program.results(given);
    return true;
  });
  if (done) return results;
  if (profile) profile->clear();
  results = state.plain(feeds);  // an error of the values is thrown here, with the node's own name
  if (!failure.empty()) state.give_up(failure);
  return results;
}

bool CompiledStep::is_compiled() const {
  return state_->why_not.empty();
}

std::string CompiledStep::why_not_compiled() const {
  const std::lock_guard lock(state_->mutex);
  return state_->why_not;
}

std::string CompiledStep::describe() const {
  if (!is_compiled()) return fmt::format("not compiled: {}\n{}", state_->why_not, state_->plain.describe());
  const std::lock_guard lock(state_->mutex);
  return state_->programs.empty() ? "no program yet\n" : state_->programs.front().program->describe();
}

StepCompiler::StepCompiler(Session& session, const StepOptions& options)
    : session_(session), options_(options), memory_(std::make_shared<Memory>()) {
  if (options.compute != kFloat32 && options.compute != kBFloat16) {
    throw UsageError(
        fmt::format("[step] expected .compute of float32 or bfloat16, got {}", to_string(options.compute)));
  }
}

CompiledStep StepCompiler::compile(const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches) const {
  auto state = std::make_shared<CompiledStep::State>(memory_);
  state->options = options_;
  state->all = all_;
  state->plain = session_.make_callable(feeds, fetches);
  state->store = store_of(state->plain);
  const auto nodes = find_needed(state->plain.fetches(), fed_tensors(state->plain.feeds()));
  const auto is = [](NodeKind kind) { return [kind](const Node* node) { return node->kind() == kind; }; };
  if (!options_.compile) {
    state->why_not = "the options say so";
  } else if (std::ranges::none_of(nodes, is(NodeKind::kGradients))) {
    state->why_not = "it takes no gradients";
  } else if (!std::ranges::all_of(nodes, [](const Node* node) { return node->device().is_cpu(); })) {
    state->why_not = "it is not on the CPU";
  }
  return CompiledStep(std::move(state));
}

CompiledStep compile_step(Session& session, const std::vector<Fetch>& feeds,
                          const std::vector<Fetch>& fetches, const StepOptions& options) {
  return StepCompiler(session, options).compile(feeds, fetches);
}

}  // namespace belfry
