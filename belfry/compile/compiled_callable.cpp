#include "belfry/compile/compiled_callable.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <list>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/compile/internal/passes.h"
#include "belfry/compile/internal/program.h"

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

/// Programs for one combination of shapes that no thread runs now.
struct Shaped {
  std::vector<Shape> shapes;
  std::vector<std::unique_ptr<Program>> idle;
};

bool fits(const Shaped& entry, const std::vector<at::Tensor>& feeds) {
  for (size_t i = 0; i < feeds.size(); ++i) {
    if (feeds[i].sizes() != at::IntArrayRef(entry.shapes[i])) return false;
  }
  return true;
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

  std::mutex programs_mutex;
  std::list<Shaped> programs;  ///< most recently used first
  std::mutex making_mutex;
  std::string newest_program;  ///< for describe; guarded by making_mutex
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
    passes += fmt::format("after:\n{}", list_nodes(rest));
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
    version.store(newest, std::memory_order_release);
  }

  /// A program for these feeds that no other thread has.
  std::unique_ptr<Program> take(const std::vector<at::Tensor>& feeds) {
    if (auto program = take_idle(feeds)) return program;
    // Others may run meanwhile; what is made is made by one thread at a time, as the packed weights are
    // shared.
    std::lock_guard lock(making_mutex);
    std::vector<Shape> shapes;
    for (const at::Tensor& feed : feeds) shapes.push_back(feed.sizes().vec());
    Rewriter rewriter(rest, shapes);
    auto program =
        std::make_unique<Program>(rewriter.run([](const Node&) { return Tensor(); }), prepared, options);
    newest_program = program->describe();
    return program;
  }

  std::unique_ptr<Program> take_idle(const std::vector<at::Tensor>& feeds) {
    std::lock_guard lock(programs_mutex);
    const auto entry =
        std::find_if(programs.begin(), programs.end(), [&](const Shaped& e) { return fits(e, feeds); });
    if (entry == programs.end() || entry->idle.empty()) return nullptr;
    programs.splice(programs.begin(), programs, entry);
    auto program = std::move(entry->idle.back());
    entry->idle.pop_back();
    return program;
  }

  void give_back(std::unique_ptr<Program> program, const std::vector<at::Tensor>& feeds) {
    std::lock_guard lock(programs_mutex);
    auto entry =
        std::find_if(programs.begin(), programs.end(), [&](const Shaped& e) { return fits(e, feeds); });
    if (entry == programs.end()) {
      programs.emplace_front();
      for (const at::Tensor& feed : feeds) programs.front().shapes.push_back(feed.sizes().vec());
      entry = programs.begin();
      if (static_cast<int64_t>(programs.size()) > std::max<int64_t>(options.max_shapes, 1))
        programs.pop_back();
    }
    entry->idle.push_back(std::move(program));
  }

  /// Calls `run(program)` with the weights up to date. False where the graph cannot be compiled after all.
  template <typename Run>
  bool with_program(const std::vector<at::Tensor>& feeds, Run run) {
    if (!compiled || not_compilable) return false;
    const c10::InferenceMode normal_tensors(false);
    const at::AutoDispatchBelowADInplaceOrView no_autograd;
    at::internal::lazy_init_num_threads();
    refresh();
    std::shared_lock lock(weights_mutex);
    std::unique_ptr<Program> program;
    try {
      program = take(feeds);
    } catch (const std::exception& e) {
      log_warning("[compile] this graph runs uncompiled: {}", e.what());
      not_compilable = true;
      return false;
    }
    run(*program);
    give_back(std::move(program), feeds);
    return true;
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

std::vector<at::Tensor> empty_results(const Program& program) {
  std::vector<at::Tensor> results;
  for (const Tensor& fetch : program.fetches()) results.push_back(at::empty(fetch.shape(), fetch.dtype()));
  return results;
}

}  // namespace

std::vector<at::Tensor> CompiledCallable::operator()(const std::vector<at::Tensor>& feeds) const {
  state_->plain.check_feeds(feeds);
  if (!all_dense(feeds)) return (*this)(dense(feeds));
  std::vector<at::Tensor> results;
  const bool done = state_->with_program(feeds, [&](Program& program) {
    results = empty_results(program);
    program.run(feeds, results);
  });
  return done ? results : state_->plain(feeds);
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
  auto check = [&](size_t i, DType dtype, at::IntArrayRef sizes) {
    const at::Tensor& result = results[i];
    if (!result.defined() || !result.is_cpu() || !result.is_contiguous() || result.scalar_type() != dtype ||
        result.sizes() != sizes) {
      throw UsageError(fmt::format(
          "[compile] expected a dense {} {} for the result '{}', got {}", to_string(dtype),
          to_string(sizes.vec()), fetches[i].name(),
          result.defined() ? to_string(result.scalar_type()) + " " + to_string(result.sizes().vec())
                           : "none"));
    }
  };
  const bool done = state_->with_program(feeds, [&](Program& program) {
    for (size_t i = 0; i < results.size(); ++i)
      check(i, program.fetches()[i].dtype(), program.fetches()[i].shape());
    program.run(feeds, results);
  });
  if (done) return;
  const auto values = state_->plain(feeds);
  for (size_t i = 0; i < results.size(); ++i) {
    check(i, values[i].scalar_type(), values[i].sizes());
    results[i].copy_(values[i]);
  }
}

std::vector<ProfiledStep> CompiledCallable::profile(const std::vector<at::Tensor>& feeds) const {
  state_->plain.check_feeds(feeds);
  if (!all_dense(feeds)) return profile(dense(feeds));
  std::vector<ProfiledStep> steps;
  state_->with_program(feeds,
                       [&](Program& program) { steps = program.profile(feeds, empty_results(program)); });
  return steps;
}

bool CompiledCallable::is_compiled() const {
  return state_->compiled && !state_->not_compilable;
}

std::string CompiledCallable::describe() const {
  if (!is_compiled()) return "not compiled:\n" + state_->plain.describe();
  std::lock_guard lock(state_->making_mutex);
  return state_->passes +
         (state_->newest_program.empty() ? "" : "newest program:\n" + state_->newest_program);
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
