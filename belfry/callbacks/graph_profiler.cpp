#include "belfry/callbacks/graph_profiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/base/file_system.h"
#include "belfry/base/log.h"
#include "belfry/loop/trainer.h"

// The Trace Event Format of Chromium's tracing tool: complete events ("ph": "X") on one thread, times in
// microseconds.

namespace belfry {
namespace {

using Json = nlohmann::ordered_json;

Json make_event(const std::string& name, const char* category, double start, double seconds) {
  return {{"name", name},         {"cat", category}, {"ph", "X"}, {"ts", start * 1e6},
          {"dur", seconds * 1e6}, {"pid", 1},        {"tid", 1}};
}

Json make_trace(const std::vector<RunProfile>& runs) {
  Json events = Json::array();
  double start = 0;
  for (const RunProfile& run : runs) {
    events.push_back(make_event(run.name, "run", start, run.seconds));
    double now = start;
    for (const ProfiledStep& step : run.instructions) {
      events.push_back(make_event(step.node, "instruction", now, step.seconds));
      events.back()["args"] = {{"kernel", step.kernel}};
      now += step.seconds;
    }
    start += run.seconds;
  }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

std::string describe(const std::vector<RunProfile>& runs) {
  std::string text;
  for (const RunProfile& run : runs) text += fmt::format("{}\n\n{}\n", run.name, run.description);
  return text;
}

}  // namespace

GraphProfiler::GraphProfiler(GraphProfilerOptions options) : options_(options) {
  for (const int64_t number : {options.log_slowest, options.skipped_steps, options.steps}) {
    if (number < 0)
      throw UsageError(fmt::format("[GraphProfiler] expected numbers of at least 0, got {}", number));
  }
}

bool GraphProfiler::is_measured(int64_t step) const {
  return step >= options_.skipped_steps && step < options_.skipped_steps + options_.steps;
}

void GraphProfiler::before_train() {
  if ((options_.dump_tracing || options_.dump_description) && trainer().log_dir().empty())
    throw UsageError("[GraphProfiler] expected a log_dir of the trainer to write to, got none");
  trainer().profile_runs(is_measured(0));
}

void GraphProfiler::trigger_step() {
  if (is_measured(done_)) take(trainer().take_run_profiles());
  ++done_;
  trainer().profile_runs(is_measured(done_));
  if (done_ == options_.skipped_steps + options_.steps) log_slowest();
}

void GraphProfiler::after_train() {
  trainer().profile_runs(false);
}

void GraphProfiler::take(const std::vector<RunProfile>& runs) {
  if (options_.dump_description && done_ == options_.skipped_steps && !runs.empty())
    write(fmt::format("step-{}.txt", trainer().global_step()), describe(runs));
  bool any = false;
  std::string why_none = "this trainer does not measure its runs";
  for (const RunProfile& run : runs) {
    any = any || !run.instructions.empty();
    if (run.instructions.empty()) why_none = fmt::format("'{}' is not compiled: {}", run.name, run.why_none);
    for (const ProfiledStep& step : run.instructions) {
      const auto same = [&](const ProfiledStep& sum) {
        return sum.node == step.node && sum.kernel == step.kernel;
      };
      const auto found = std::ranges::find_if(sums_, same);
      (found != sums_.end() ? *found : sums_.emplace_back(ProfiledStep{step.node, step.kernel})).seconds +=
          step.seconds;
    }
  }
  if (!any) {
    if (!std::exchange(told_why_none_, true))
      log_warning("[GraphProfiler] there is nothing to show of a step: {}", why_none);
    return;
  }
  ++measured_;
  if (options_.dump_tracing)
    write(fmt::format("chrome-trace-{}.json", trainer().global_step()), make_trace(runs).dump());
}

void GraphProfiler::write(const std::string& name, const std::string& content) const {
  FileSystem& files = FileSystem::posix();
  files.make_dirs(trainer().log_dir());
  const auto path = std::filesystem::path(trainer().log_dir()) / name;
  write_file_atomically(files, path.string(), as_byte_span(content));
}

void GraphProfiler::log_slowest() const {
  if (measured_ == 0 || options_.log_slowest == 0) return;
  std::vector<ProfiledStep> sums = sums_;
  std::ranges::stable_sort(sums, std::greater(), &ProfiledStep::seconds);
  double total = 0;
  for (const ProfiledStep& sum : sums) total += sum.seconds;
  std::string text = fmt::format("[GraphProfiler] {:.3g} ms a step, of which", total / measured_ * 1e3);
  sums.resize(std::min(sums.size(), static_cast<size_t>(options_.log_slowest)));
  for (const ProfiledStep& sum : sums) {
    text += fmt::format("\n  {:8.3g} ms {:5.1f}% {} ({})", sum.seconds / measured_ * 1e3,
                        sum.seconds / total * 100, sum.node, sum.kernel);
  }
  log_info("{}", text);
}

}  // namespace belfry
