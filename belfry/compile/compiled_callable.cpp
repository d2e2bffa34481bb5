#include "belfry/compile/compiled_callable.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
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
#include "belfry/compile/internal/batch_split.h"
#include "belfry/compile/internal/in_parallel.h"
#include "belfry/compile/internal/numbers.h"
#include "belfry/compile/internal/passes.h"
#include "belfry/compile/internal/program_pool.h"

namespace belfry {
namespace {

struct Pass {
  const char* name;
  bool CompileOptions::*enabled;
  InferenceGraph (*run)(const InferenceGraph&);
};

constexpr Pass kPasses[] = {
    {"canonicalize", &CompileOptions::canonicalize, canonicalize},
    {"cancel_transposes", &CompileOptions::cancel_transposes, cancel_transposes},
    {"fold_padding", &CompileOptions::fold_padding, fold_padding},
    {"fold_batch_norm", &CompileOptions::fold_batch_norm, fold_batch_norm},
    {"fuse_residuals", &CompileOptions::fuse_residuals, fuse_residuals},
    {"fuse_activations", &CompileOptions::fuse_activations, fuse_activations},
};

std::string list_nodes(const InferenceGraph& graph) {
  std::string text;
  for (const Node* node : needed_nodes(graph.fetches)) {
    if (node->kind() != NodeKind::kPlaceholder)
      text += fmt::format("  {} = {}\n", node->name(), describe(*node));
  }
  return text;
}

size_t count_nodes(const InferenceGraph& graph) {
  const auto nodes = needed_nodes(graph.fetches);
  return static_cast<size_t>(std::count_if(
      nodes.begin(), nodes.end(), [](const Node* n) { return n->kind() != NodeKind::kPlaceholder; }));
}

/// Dtypes and sizes of a call's results.
struct ResultSpec {
  const std::vector<Tensor>& fetches;
  int64_t batch = -1;  ///< the first dimension; -1: as the fetches say

  Shape shape(size_t i) const {
    Shape shape = fetches[i].shape();
    if (batch >= 0) shape[0] = batch;
    return shape;
  }
  bool fits(size_t i, const at::Tensor& tensor) const {
    const Shape& shape = fetches[i].shape();
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
  for (size_t i = 0; i < spec.fetches.size(); ++i)
    results.push_back(at::empty(spec.shape(i), spec.fetches[i].dtype()));
  return results;
}

}  // namespace

struct CompiledCallable::State {
  CompileOptions options;
  Callable plain;         ///< runs it without compilation, and checks feeds
  Callable read_weights;  ///< the variables' values
  bool compiled = false;
  std::string passes;  ///< for describe

  InferenceGraph preparation, rest;
  std::unique_ptr<Session> preparation_session;
  Callable prepare;

  /// Runs share it, a change of the weights excludes them.
  std::shared_mutex weights_mutex;
  std::atomic<uint64_t> version{0};
  std::shared_ptr<Prepared> prepared;
  NeededNumbers needed;  ///< none where the options say so
  bool weights_are_ordinary = true;
  std::atomic<bool> told_of_numbers{false};

  std::optional<BatchSplit> split;
  std::optional<ProgramPool> programs;
  std::atomic<bool> not_compilable{false};

  void run_passes(InferenceGraph graph) {
    passes = fmt::format("before ({} nodes):\n{}", count_nodes(graph), list_nodes(graph));
    for (const Pass& pass : kPasses) {
      if (!(options.*pass.enabled)) {
        passes += fmt::format("{}: off\n", pass.name);
        continue;
      }
      graph = pass.run(graph);
      passes += fmt::format("{}: {} nodes\n", pass.name, count_nodes(graph));
    }
    if (options.compute == kBFloat16) {
      graph = cast_to_bfloat16(graph);
      passes += fmt::format("cast_to_bfloat16: {} nodes\n", count_nodes(graph));
    }
    if (options.fold_constants) {
      PreparedGraph parts = fold_constants(graph);
      preparation = std::move(parts.preparation);
      rest = std::move(parts.rest);
      preparation_session = std::make_unique<Session>(*preparation.graph);
      prepare = preparation_session->make_callable({preparation.feeds.begin(), preparation.feeds.end()},
                                                   {preparation.fetches.begin(), preparation.fetches.end()});
      passes += fmt::format("fold_constants: {} nodes, {} computed once\n", count_nodes(rest),
                            count_nodes(preparation));
    } else {
      rest = std::move(graph);
      passes += "fold_constants: off\n";
    }
    if (options.split_batch) split = find_batch_split(rest);
    passes += fmt::format("split_batch: {}\nafter:\n{}",
                          split ? fmt::format("samples are independent, {} bytes each", split->working_set)
                                : "off, or samples may depend on each other",
                          list_nodes(rest));
    programs.emplace(rest, options);
    if (options.check_numbers) needed = needed_numbers(rest);
  }

  std::vector<at::Tensor> weights() const {
    std::vector<at::Tensor> values = read_weights({});
    return preparation_session ? prepare(values) : values;
  }

  /// Computes the weights anew when a variable was written since.
  void refresh() {
    if (version.load(std::memory_order_acquire) == read_weights.version()) return;
    std::unique_lock lock(weights_mutex);
    const uint64_t newest = read_weights.version();
    if (version == newest) return;
    if (prepared) {
      prepared->set(weights());
    } else {
      prepared = std::make_shared<Prepared>(weights());
    }
    weights_are_ordinary = std::ranges::all_of(
        needed.weights, [&](size_t i) { return all_are(Numbers::kOrdinary, prepared->values()[i]); });
    if (!weights_are_ordinary)
      log_warning(
          "[compile] this graph runs uncompiled: its weights hold NaN, infinities or numbers beyond 2^64");
    version.store(newest, std::memory_order_release);
  }

  int64_t samples_at_once(int64_t batch) const {
    return belfry::samples_at_once(*split, prepared->bytes(), batch, at::get_num_threads(),
                                   options.cache_bytes);
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
    const at::AutoDispatchBelowADInplaceOrView no_autograd;
    std::unique_ptr<Program> program;
    make_or_throw([&] { program = programs->take(feeds, part, prepared); });
    run(*program);
    programs->give_back(std::move(program), feeds, part);
  }

  /// Whether the compiled graph gives what the plain one does.
  bool is_exact(const std::vector<at::Tensor>& feeds) {
    if (!weights_are_ordinary) return false;
    for (size_t i = 0; i < feeds.size(); ++i) {
      if (all_are(needed.feeds, feeds[i])) continue;
      if (!told_of_numbers.exchange(true)) {
        log_warning(
            "[compile] calls with NaN, infinities or numbers beyond 2^64 in '{}' run uncompiled (see "
            "CompileOptions::check_numbers)",
            rest.feeds[i].name());
      }
      return false;
    }
    return true;
  }

  /// Calls `prepare(specification of the results)`, which returns them, and runs. Where it does not, the
  /// outcome is why: "" for calls that are to run uncompiled, or what failed.
  template <typename Prepare>
  std::optional<std::string> run(const std::vector<at::Tensor>& feeds, Prepare prepare) {
    if (!compiled || not_compilable) return "";
    try {
      return run_compiled(feeds, prepare) ? std::nullopt : std::optional<std::string>("");
    } catch (const NotMade& error) {
      return error.reason;
    }
  }

  template <typename Prepare>
  bool run_compiled(const std::vector<at::Tensor>& feeds, Prepare prepare) {
    at::internal::lazy_init_num_threads();
    refresh();
    std::shared_lock lock(weights_mutex);
    if (!is_exact(feeds)) return false;
    const int64_t batch = split ? programs->batch_of(feeds).value_or(1) : 1;
    const int64_t count = batch > 1 ? samples_at_once(batch) : batch;
    std::atomic<bool> exact{true};
    if (count == batch) {
      with_program(feeds, {}, [&](Program& program) {
        exact = program.run(feeds, prepare(ResultSpec{program.fetches()}));
      });
      return exact;
    }
    const std::vector<at::Tensor>& results = prepare(ResultSpec{rest.fetches, batch});
    const int64_t threads = std::min<int64_t>(at::get_num_threads(), batch / count);
    const Part first{.first = 0, .count = count};
    make_or_throw([&] { programs->make_at_least(threads, feeds, first, prepared); });
    in_parallel((batch + count - 1) / count, [&](int64_t i) {
      const Part part{.first = i * count, .count = std::min(count, batch - i * count)};
      with_program(feeds, part, [&](Program& program) {
        if (!program.run(feeds, results, part.first)) exact = false;
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
    if (!compiled || not_compilable) return steps;
    at::internal::lazy_init_num_threads();
    refresh();
    std::shared_lock lock(weights_mutex);
    try {
      with_program(feeds, {}, [&](Program& program) {
        steps = program.profile(feeds, empty_results(ResultSpec{program.fetches()}));
      });
    } catch (const NotMade&) {  // as a call would, it finds nothing compiled
    }
    return steps;
  }
};

namespace {

std::vector<at::Tensor> dense(const std::vector<at::Tensor>& feeds) {
  std::vector<at::Tensor> result;
  result.reserve(feeds.size());
  for (const at::Tensor& feed : feeds) result.push_back(feed.to(c10::kCPU).contiguous());
  return result;
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
  return state_->compiled && !state_->not_compilable;
}

std::string CompiledCallable::describe() const {
  if (!is_compiled()) return "not compiled:\n" + state_->plain.describe();
  const std::string program = state_->programs->describe_newest();
  return state_->passes + (program.empty() ? "" : "newest program:\n" + program);
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
  auto extracted = extract(state->plain.feeds(), state->plain.fetches());
  if (extracted) {
    state->compiled = true;
    std::vector<Fetch> variables(extracted->variables.begin(), extracted->variables.end());
    state->read_weights = session.make_callable({}, variables);
    state->run_passes(std::move(extracted->graph));
  }
  return CompiledCallable(std::move(state));
}

}  // namespace belfry
