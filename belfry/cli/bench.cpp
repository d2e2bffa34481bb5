#include <ATen/Parallel.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/model.h"
#include "belfry/cli/number_checks.h"
#include "belfry/cli/output.h"
#include "belfry/predict/graph_predictor.h"

// `belfry bench`: latencies of whole calls, each measured alone, after some calls to warm up, until there
// are enough calls and the time asked for is over. Profiles are measured apart, as they cost time
// themselves.
namespace belfry::cli {
namespace {

using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr const char* kFooter =
    R"(MODEL is a file of save_inference_graph. Inputs are random numbers, integers are 0. Prints the latency of
one call in milliseconds and its percentiles, and samples per second, for each batch size.
--profile adds the instructions of the compiled model with their share of the time, slowest first;
--trace writes one call for chrome://tracing or ui.perfetto.dev.

Examples:
  belfry bench model.safetensors --batch 1,32 --threads 2
  belfry bench model.safetensors --profile --compute bfloat16
  belfry bench model.safetensors --batch 8 --trace trace.json)";

constexpr int kWarmUps = 3, kLeastRuns = 10, kProfiledRuns = 10;

struct Options {
  std::string model, trace;
  ComputeOption compute;
  std::vector<int64_t> batches = {1};
  InputShapes shapes;
  int threads = 0;  ///< 0: LibTorch's choice
  double seconds = 3;
  bool profile = false, json = false;
};

struct Result {
  int64_t batch = 0;
  std::vector<double> seconds;  ///< of each call, sorted
  std::vector<ProfiledStep> steps;

  double mean() const {
    return std::accumulate(seconds.begin(), seconds.end(), 0.0) / static_cast<double>(seconds.size());
  }
  /// The smallest latency that `percent` of the calls did not exceed.
  double percentile(double percent) const {
    const double rank = std::ceil(percent / 100 * static_cast<double>(seconds.size()));
    return seconds[static_cast<size_t>(std::max(rank, 1.0)) - 1];
  }
  double samples_per_second() const { return static_cast<double>(batch) / mean(); }
};

using Values = std::vector<at::Tensor>;

Values random_inputs(const GraphPredictor& model, const std::vector<Shape>& shapes) {
  Values values;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const DType dtype = model.inputs()[i].dtype;
    values.push_back(isFloatingType(dtype) ? at::randn(shapes[i]).to(dtype) : at::zeros(shapes[i], dtype));
  }
  return values;
}

std::vector<double> measure(const CompiledCallable& call, const Values& inputs, double at_least) {
  for (int i = 0; i < kWarmUps; ++i) call(inputs);
  std::vector<double> seconds;
  const auto begin = Clock::now();
  for (auto start = begin;
       seconds.size() < kLeastRuns || start - begin < std::chrono::duration<double>(at_least);) {
    call(inputs);
    const auto end = Clock::now();
    seconds.push_back(std::chrono::duration<double>(end - start).count());
    start = end;
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

/// The mean over some calls, in the order of the work.
std::vector<ProfiledStep> profile(const CompiledCallable& call, const Values& inputs) {
  std::vector<ProfiledStep> mean = call.profile(inputs);
  for (int i = 1; i < kProfiledRuns; ++i) {
    const auto steps = call.profile(inputs);
    for (size_t k = 0; k < mean.size(); ++k) mean[k].seconds += steps[k].seconds;
  }
  for (ProfiledStep& step : mean) step.seconds /= kProfiledRuns;
  return mean;
}

std::vector<Result> bench(const Options& options) {
  const GraphPredictor model =
      load_inference_graph(options.model, {.compile = options.compute.compile_options()});
  const CompiledCallable& call = model.callable();
  const bool with_steps = options.profile || !options.trace.empty();
  std::vector<Result> results;
  for (int64_t batch : options.batches) {
    const Values inputs = random_inputs(model, options.shapes.of(model, batch));
    results.push_back({.batch = batch, .seconds = measure(call, inputs, options.seconds)});
    if (with_steps) results.back().steps = profile(call, inputs);
  }
  if (with_steps && !call.is_compiled())
    throw UsageError("expected a model that can be compiled, for --profile and --trace");
  return results;
}

std::string milliseconds(double seconds) {
  return fmt::format("{:.3f}", seconds * 1e3);
}

void print_latencies(const std::vector<Result>& results) {
  Table table(std::vector<Table::Align>(8, Table::kRight));
  table.add({"BATCH", "CALLS", "MEAN", "MIN", "P50", "P90", "P99", "SAMPLES/S"});
  for (const Result& result : results) {
    std::vector<std::string> words = {std::to_string(result.batch), std::to_string(result.seconds.size()),
                                      milliseconds(result.mean()), milliseconds(result.seconds.front())};
    for (double percent : {50.0, 90.0, 99.0}) words.push_back(milliseconds(result.percentile(percent)));
    words.push_back(fmt::format("{:.1f}", result.samples_per_second()));
    table.add(std::move(words));
  }
  table.print();
}

double total_of(const std::vector<ProfiledStep>& steps) {
  return std::accumulate(steps.begin(), steps.end(), 0.0,
                         [](double sum, const ProfiledStep& step) { return sum + step.seconds; });
}

void print_profile(const Result& result) {
  print_line("");
  print_line("profile of batch {}:", result.batch);
  auto steps = result.steps;
  std::stable_sort(steps.begin(), steps.end(),
                   [](const auto& a, const auto& b) { return a.seconds > b.seconds; });
  const double total = total_of(steps);
  Table table({Table::kRight, Table::kRight, Table::kLeft, Table::kLeft});
  table.add({"MS", "SHARE", "NODE", "KERNEL"});
  for (const ProfiledStep& step : steps) {
    table.add({milliseconds(step.seconds), fmt::format("{:.1f}%", 100 * step.seconds / total), step.node,
               step.kernel});
  }
  table.print();
}

ordered_json to_json(const Options& options, const std::vector<Result>& results) {
  ordered_json batches = ordered_json::array();
  for (const Result& result : results) {
    ordered_json json = {{"batch", result.batch},
                         {"calls", result.seconds.size()},
                         {"mean_ms", result.mean() * 1e3},
                         {"min_ms", result.seconds.front() * 1e3}};
    for (double percent : {50.0, 90.0, 99.0})
      json[fmt::format("p{}_ms", percent)] = result.percentile(percent) * 1e3;
    json["samples_per_second"] = result.samples_per_second();
    if (options.profile) {
      json["profile"] = ordered_json::array();
      for (const ProfiledStep& step : result.steps)
        json["profile"].push_back({{"node", step.node}, {"kernel", step.kernel}, {"ms", step.seconds * 1e3}});
    }
    batches.push_back(std::move(json));
  }
  return {{"model", options.model},
          {"compute", options.compute.name()},
          {"threads", at::get_num_threads()},
          {"batches", std::move(batches)}};
}

/// The Trace Event Format: complete events, one after the other, a row for each batch size.
void write_trace(const std::string& path, const std::vector<Result>& results) {
  ordered_json events = ordered_json::array();
  for (const Result& result : results) {
    double start = 0;
    for (const ProfiledStep& step : result.steps) {
      events.push_back({{"name", step.node},
                        {"ph", "X"},
                        {"pid", 0},
                        {"tid", fmt::format("batch {}", result.batch)},
                        {"ts", start * 1e6},
                        {"dur", step.seconds * 1e6},
                        {"args", {{"kernel", step.kernel}}}});
      start += step.seconds;
    }
  }
  const ordered_json document = {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  write_file_atomically(
      FileSystem::posix(), path,
      as_byte_span(document.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace)));
}

int run(const Options& options) {
  if (options.threads > 0) at::set_num_threads(options.threads);
  const std::vector<Result> results = bench(options);
  if (!options.trace.empty()) write_trace(options.trace, results);
  if (options.json) {
    print_json(to_json(options, results));
    return kFine;
  }
  print_latencies(results);
  if (options.profile) {
    for (const Result& result : results) print_profile(result);
  }
  return kFine;
}

}  // namespace

Command add_bench(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("bench", "Measure how fast a model runs");
  app->add_option("MODEL", options->model, "The graph file")->required();
  app->add_option("--batch", options->batches, "Batch sizes, with commas; 1 unless given")
      ->type_name("N,...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(positive_number());
  options->shapes.add_options(*app);
  app->add_option("--threads", options->threads, "Threads of one call; LibTorch's choice unless given")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app->add_option("--seconds", options->seconds,
                  "How long to measure each batch size, at least; 3 unless given")
      ->type_name("S")
      ->check(number_from_zero());
  options->compute.add_options(*app);
  app->add_flag("--profile", options->profile, "Where the time goes");
  app->add_option("--trace", options->trace, "Write a trace of one call")->type_name("FILE");
  app->add_flag("--json", options->json, "Print JSON");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
