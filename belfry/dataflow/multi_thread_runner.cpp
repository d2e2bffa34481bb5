#include "belfry/dataflow/multi_thread_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/can_all_resume.h"
#include "belfry/dataflow/internal/ordered_map.h"

namespace belfry {
namespace {

void check(int64_t num_thread, const MultiThreadRunnerOptions& options) {
  if (num_thread <= 0 || options.num_prefetch <= 0) {
    throw UsageError(
        fmt::format("[MultiThreadRunner] expected num_thread > 0 and num_prefetch > 0, got {} and {}",
                    num_thread, options.num_prefetch));
  }
}

// What one thread runs: passes `number`, `number` + `stride`, …, but at most `left` datapoints.
struct StridePass {
  std::optional<Datapoint> next() {
    if (left == 0) return std::nullopt;
    std::optional<Datapoint> datapoint = current.next();
    if (!datapoint) {
      start_next();
      datapoint = current.next();  // a pass without any ends all
    }
    --left;
    return datapoint;
  }

  int64_t skip(int64_t count) {
    count = std::min(count, left);
    int64_t skipped = current.skip(count);
    while (skipped < count) {
      start_next();
      const int64_t here = current.skip(count - skipped);
      if (here == 0) break;
      skipped += here;
    }
    left -= skipped;
    return skipped;
  }

  void start_next() { current = source->start_pass(number += stride); }

  AnyDataFlow source;
  int64_t number, stride, left;
  DataIterator current;
};

struct RunnerPass {
  std::optional<Datapoint> next() {
    if (!std::exchange(is_started, true)) {
      for (internal::OrderedMapPass& thread : threads) thread.start();
    }
    return threads[index++ % threads.size()].next();
  }

  int64_t skip(int64_t count) {
    const uint64_t num_thread = threads.size();
    for (uint64_t t = 0; t < num_thread; ++t) {
      // Datapoints `index` to `index + count` that are this thread's turn.
      const uint64_t first = (t + num_thread - index % num_thread) % num_thread;
      if (static_cast<uint64_t>(count) <= first) continue;
      const auto share = static_cast<int64_t>((static_cast<uint64_t>(count) - first - 1) / num_thread + 1);
      const int64_t skipped = threads[t].skip(share);
      if (skipped < share) count = static_cast<int64_t>(first + static_cast<uint64_t>(skipped) * num_thread);
    }
    index += static_cast<uint64_t>(count);
    return count;
  }

  std::vector<internal::OrderedMapPass> threads;
  uint64_t index = 0;
  bool is_started = false;
};

}  // namespace

MultiThreadRunner::MultiThreadRunner(AnyDataFlow source, int64_t num_thread, MultiThreadRunnerOptions options)
    : options_(options) {
  check(num_thread, options_);
  sources_.assign(static_cast<size_t>(num_thread), source);
}

MultiThreadRunner::MultiThreadRunner(const std::function<AnyDataFlow()>& get_dataflow, int64_t num_thread,
                                     MultiThreadRunnerOptions options)
    : options_(options) {
  check(num_thread, options_);
  if (!get_dataflow) throw UsageError("[MultiThreadRunner] expected a function, got an empty one");
  for (int64_t i = 0; i < num_thread; ++i) sources_.push_back(get_dataflow());
}

DataIterator MultiThreadRunner::start_pass(int64_t pass) {
  const auto num_thread = static_cast<int64_t>(sources_.size());
  const std::optional<int64_t> n = size();
  RunnerPass runner;
  for (int64_t t = 0; t < num_thread; ++t) {
    const AnyDataFlow& source = sources_[static_cast<size_t>(t)];
    const int64_t number = pass * num_thread + t;
    const int64_t share =
        n ? std::max<int64_t>(0, *n - t + num_thread - 1) / num_thread : std::numeric_limits<int64_t>::max();
    runner.threads.emplace_back(
        DataIterator(StridePass{source, number, num_thread, share, source->start_pass(number)}),
        /*function=*/nullptr, internal::MapCall{.stage = "MultiThreadRunner"}, /*num_thread=*/1,
        std::max<int64_t>(1, options_.num_prefetch / num_thread));
  }
  return DataIterator(std::move(runner));
}

bool MultiThreadRunner::can_resume() const {
  return internal::can_all_resume(sources_);
}

void MultiThreadRunner::reset_state() {
  DataFlow::reset_state();
  for (const AnyDataFlow& source : sources_) source->reset_state();
}

}  // namespace belfry
