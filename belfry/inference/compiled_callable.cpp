#include "belfry/inference/compiled_callable.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/graph/below_autograd.h"
#include "belfry/graph/kernel_error.h"
#include "belfry/graph/needed_nodes.h"
#include "belfry/inference/internal/live_weights.h"
#include "belfry/inference/internal/needed_numbers.h"
#include "belfry/inference/internal/pipeline.h"
#include "belfry/inference/internal/program_pool.h"
#include "belfry/inference/internal/run_program.h"
#include "belfry/program/adapt_to_load.h"
#include "belfry/program/in_parallel.h"

// A call checks its feeds, takes the newest weights, and then runs one program on all of the batch, or, where
// samples are independent, programs on parts that fit the cache, a thread each. Invariant: whatever goes
// wrong while a program is made, the ordinary plan answers the call; only a graph that the plan runs and no
// program can be made of stays uncompiled.

namespace belfry {

using namespace internal;

namespace {

/// Dtypes and sizes of a call's results.
struct ResultSpec {
  const std::vector<Tensor>& fetches;
  const Program* program = nullptr;  ///< that computes all of it; none where several do
  int64_t batch = -1;                ///< then the first dimension

  const Shape& sizes(size_t i) const { return program ? program->results()[i].sizes() : fetches[i].shape(); }
  Shape shape(size_t i) const {
    Shape shape = sizes(i);
    if (batch >= 0) shape[0] = batch;
    return shape;
  }
  bool fits(size_t i, const at::Tensor& tensor) const {
    const Shape& shape = sizes(i);
    if (tensor.scalar_type() != fetches[i].dtype() || tensor.dim() != static_cast<int64_t>(shape.size()))
      return false;
    for (int64_t axis = 0; axis < tensor.dim(); ++axis) {
      const int64_t wanted = axis == 0 && batch >= 0 ? batch : shape[static_cast<size_t>(axis)];
      if (tensor.size(axis) != wanted) return false;
    }
    return true;
  }
};

std::vector<at::Tensor> empty_results(const ResultSpec& spec) {
  std::vector<at::Tensor> results;
  try {
    for (size_t i = 0; i < spec.fetches.size(); ++i)
      results.push_back(at::empty(spec.shape(i), spec.fetches[i].dtype()));
  } catch (const c10::Error&) {  // as from a kernel: there is not so much memory
    rethrow_kernel_error({.who = "compile"});
  }
  return results;
}

}  // namespace

struct CompiledCallable::State {
  CompileOptions options;
  Callable plain;  ///< runs it without compilation, and checks feeds

  // Where the graph is compiled:
  CompiledFunction function;
  NeededNumbers needed;  ///< none where the options say so
  std::optional<LiveWeights> weights;
  std::optional<ProgramPool> programs;

  std::string why_not;  ///< why it is not compiled
  std::atomic<bool> not_compilable{false};
  std::atomic<bool> told_of_numbers{false};

  bool compiled() const { return weights && !not_compilable; }

  void compile(Session& session, Function source) {
    std::vector<Variable> variables;
    for (const Weight& weight : source.weights) variables.push_back(weight.variable);
    function = run_pipeline(std::move(source), options);
    if (options.check_numbers) needed = needed_numbers(function.rest);
    programs.emplace(function.rest, options);
    weights.emplace(session, variables, std::move(function.preparation), needed.weights);
  }

  int64_t samples_at_once(int64_t batch) const {
    return internal::samples_at_once(*function.split, weights->prepared()->bytes(), batch,
                                     at::get_num_threads(), options.cache_bytes);
  }

  /// `make` failed. Whether the graph is to blame, or these feeds or the memory of this moment, shows when
  /// the call runs uncompiled: see run_plain.
  struct NotMade {
    std::string reason;
  };
  template <typename Make>
  static void make_or_throw(Make make) {
    try {
      make();
    } catch (const std::exception& e) {
      throw NotMade{e.what()};
    }
  }

  /// Lends a program to `run`. Throws NotMade.
  template <typename Run>
  void with_program(const std::vector<at::Tensor>& feeds, const Part& part, Run run) {
    const c10::InferenceMode normal_tensors(false);
    const BelowAutograd no_autograd;
    std::unique_ptr<Program> program;
    make_or_throw([&] { program = programs->take(feeds, part, weights->prepared()); });
    run(*program);
    programs->give_back(std::move(program), feeds, part);
  }

  /// Whether the compiled graph gives what the plain one does.
  bool is_exact(const std::vector<at::Tensor>& feeds) {
    if (!weights->are_ordinary()) return false;
    for (size_t i = 0; i < feeds.size(); ++i) {
      if (all_are(needed.feeds, feeds[i])) continue;
      if (!told_of_numbers.exchange(true)) {
        log_warning(
            "[compile] calls with NaN, infinities or numbers beyond 2^64 in '{}' run uncompiled (see "
            "CompileOptions::check_numbers)",
            function.rest.inputs[i].name());
      }
      return false;
    }
    return true;
  }

  /// Calls `prepare(specification of the results)`, which returns them, and runs. Where it does not, the
  /// outcome is why: "" for calls that are to run uncompiled, or what failed.
  template <typename Prepare>
  std::optional<std::string> run(const std::vector<at::Tensor>& feeds, Prepare prepare) {
    if (!compiled()) return "";
    try {
      return run_compiled(feeds, prepare) ? std::nullopt : std::optional<std::string>("");
    } catch (const NotMade& error) {
      return error.reason;
    }
  }

  template <typename Prepare>
  bool run_compiled(const std::vector<at::Tensor>& feeds, Prepare prepare) {
    at::internal::lazy_init_num_threads();
    const Threads fewer(options.adapt_threads ? threads_worth_using(thread_count()) : thread_count());
    const auto lock = weights->lock();
    if (!is_exact(feeds)) return false;
    const int64_t batch = function.split ? programs->batch_of(feeds).value_or(1) : 1;
    const int64_t count = batch > 1 ? samples_at_once(batch) : batch;
    std::atomic<bool> exact{true};
    if (count == batch) {
      with_program(feeds, {}, [&](Program& program) {
        exact = internal::run(program, feeds, prepare(ResultSpec{function.rest.outputs, &program}));
      });
      return exact;
    }
    const std::vector<at::Tensor>& results = prepare(ResultSpec{function.rest.outputs, nullptr, batch});
    const int64_t threads = std::min<int64_t>(at::get_num_threads(), batch / count);
    const Part first{.first = 0, .count = count};
    make_or_throw([&] { programs->make_at_least(threads, feeds, first, weights->prepared()); });
    in_parallel((batch + count - 1) / count, [&](int64_t i) {
      const Part part{.first = i * count, .count = std::min(count, batch - i * count)};
      with_program(feeds, part, [&](Program& program) {
        if (!internal::run(program, feeds, results, part.first)) exact = false;
      });
    });
    return exact;
  }

  /// Runs uncompiled. A graph for which no program could be made for `reason`, though it runs, stays
  /// uncompiled; feeds that do not run at all say nothing of the graph.
  std::vector<at::Tensor> run_plain(const std::vector<at::Tensor>& feeds, const std::string& reason) {
    std::vector<at::Tensor> results = plain(feeds);
    if (!reason.empty() && !not_compilable.exchange(true))
      log_warning("[compile] this graph runs uncompiled: {}", reason);
    return results;
  }

  /// Of the whole batch at once.
  std::vector<ProfiledStep> profile(const std::vector<at::Tensor>& feeds) {
    std::vector<ProfiledStep> steps;
    if (!compiled()) return steps;
    at::internal::lazy_init_num_threads();
    const auto lock = weights->lock();
    try {
      with_program(feeds, {}, [&](Program& program) {
        steps = internal::profile(program, feeds, empty_results(ResultSpec{function.rest.outputs, &program}));
      });
    } catch (const NotMade&) {  // as a call would, it finds nothing compiled
    }
    return steps;
  }
};

namespace {

bool is_on_cpu(const Callable& call) {
  return std::ranges::all_of(needed_nodes(call.fetches(), call.feeds()),
                             [](const Node* node) { return node->device().is_cpu(); });
}

bool all_dense(const std::vector<at::Tensor>& feeds) {
  return std::all_of(feeds.begin(), feeds.end(),
                     [](const at::Tensor& feed) { return feed.is_cpu() && feed.is_contiguous(); });
}

}  // namespace

std::vector<at::Tensor> CompiledCallable::operator()(const std::vector<at::Tensor>& feeds) const {
  state_->plain.check_feeds(feeds);
  if (!all_dense(feeds)) return (*this)(dense(feeds));
  std::vector<at::Tensor> results;
  const auto not_done = state_->run(feeds, [&](const ResultSpec& spec) -> const std::vector<at::Tensor>& {
    return results = empty_results(spec);
  });
  return not_done ? state_->run_plain(feeds, *not_done) : results;
}

void CompiledCallable::run_into(const std::vector<at::Tensor>& feeds,
                                const std::vector<at::Tensor>& results) const {
  state_->plain.check_feeds(feeds);
  if (!all_dense(feeds)) return run_into(dense(feeds), results);
  const auto& fetches = state_->plain.fetches();
  if (results.size() != fetches.size()) {
    throw UsageError(
        fmt::format("[compile] expected {} tensors for results, got {}", fetches.size(), results.size()));
  }
  auto fail = [&](size_t i, DType dtype, const Shape& shape) {
    const at::Tensor& result = results[i];
    throw UsageError(fmt::format(
        "[compile] expected a dense {} {} for the result '{}', got {}", to_string(dtype), to_string(shape),
        fetches[i].name(),
        result.defined() ? to_string(result.scalar_type()) + " " + to_string(result.sizes().vec()) : "none"));
  };
  auto is_dense = [](const at::Tensor& t) { return t.defined() && t.is_cpu() && t.is_contiguous(); };
  const auto not_done = state_->run(feeds, [&](const ResultSpec& spec) -> const std::vector<at::Tensor>& {
    for (size_t i = 0; i < results.size(); ++i) {
      if (!is_dense(results[i]) || !spec.fits(i, results[i])) fail(i, spec.fetches[i].dtype(), spec.shape(i));
    }
    return results;
  });
  if (!not_done) return;
  const auto values = state_->run_plain(feeds, *not_done);
  for (size_t i = 0; i < results.size(); ++i) {
    if (!is_dense(results[i]) || results[i].scalar_type() != values[i].scalar_type() ||
        results[i].sizes() != values[i].sizes())
      fail(i, values[i].scalar_type(), values[i].sizes().vec());
    results[i].copy_(values[i]);
  }
}

std::vector<ProfiledStep> CompiledCallable::profile(const std::vector<at::Tensor>& feeds) const {
  state_->plain.check_feeds(feeds);
  if (!all_dense(feeds)) return profile(dense(feeds));
  return state_->profile(feeds);
}

bool CompiledCallable::is_compiled() const {
  return state_->compiled();
}

std::string CompiledCallable::describe() const {
  if (!is_compiled()) return fmt::format("not compiled: {}\n{}", state_->why_not, state_->plain.describe());
  const std::string program = state_->programs->describe_newest();
  return state_->function.report + (program.empty() ? "" : "newest program:\n" + program);
}

CompiledCallable compile(Session& session, const std::vector<Fetch>& feeds, const std::vector<Fetch>& fetches,
                         const CompileOptions& options) {
  if (options.compute != kFloat32 && options.compute != kBFloat16) {
    throw UsageError(fmt::format("[compile] expected .compute of float32 or bfloat16, got {}",
                                 to_string(options.compute)));
  }
  auto state = std::make_shared<CompiledCallable::State>();
  state->options = options;
  state->plain = session.make_callable(feeds, fetches);
  auto function = extract_function(state->plain.feeds(), state->plain.fetches(), &state->why_not);
  if (function && is_on_cpu(state->plain)) {
    state->compile(session, std::move(*function));
  } else if (function) {
    state->why_not = "it is not on the CPU";
  }
  return CompiledCallable(std::move(state));
}

}  // namespace belfry
