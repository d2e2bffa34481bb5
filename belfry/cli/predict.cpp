#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"
#include "belfry/checkpoint/checkpoint_reader.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/model.h"
#include "belfry/cli/npy_file.h"
#include "belfry/cli/number_checks.h"
#include "belfry/cli/output.h"
#include "belfry/predict/graph_predictor.h"

// `belfry predict`: arrays of files in, arrays in files out. What the command line says is checked against
// the model before any array is read, and no file is written before the whole prediction is done.
namespace belfry::cli {
namespace {

constexpr const char* kFooter =
    R"(MODEL is a file of save_inference_graph. Names can be left out where the model has one input, or one
output. A .npz stands for all inputs, or all outputs, by their names. --json says what was written:
{"outputs": [{"name", "dtype", "shape", "file"}, ...]}.

Examples:
  belfry predict model.safetensors --input x.npy --output y.npy
  belfry predict model.safetensors --input image=x.npy --input mask=m.npy --output all.npz
  belfry predict model.safetensors --input images.npy --output prob=prob.npy --batch 32 --json)";

struct Options {
  std::string model;
  std::vector<std::string> inputs, outputs;
  int64_t batch = 0;
  ComputeOption compute;
  bool json = false;
};

using Values = std::vector<at::Tensor>;

Values read_inputs(const GraphPredictor& model, const std::vector<std::string>& arguments) {
  const auto& names = model.input_names();
  Values values(names.size());
  for (const std::string& argument : arguments) {
    const auto [name, path] = split_name(argument);
    if (name.empty() && path.ends_with(".npz")) {
      const auto archive = CheckpointReader::open(path);
      for (const auto& entry : archive->entries())
        values[index_of(entry.name, names, "input")] = archive->tensor(entry.name);
    } else {
      const size_t input = index_of(name, names, "input");
      values[input] = load_npy(path);
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!values[i].defined()) throw UsageError(fmt::format("expected --input {}=FILE, got none", names[i]));
  }
  return values;
}

/// Where each output goes; checked before the work is done.
using Targets = std::vector<std::pair<size_t, std::string>>;

Targets parse_outputs(const GraphPredictor& model, const std::vector<std::string>& arguments) {
  Targets targets;
  for (const std::string& argument : arguments) {
    const auto [name, path] = split_name(argument);
    if (!path.ends_with(".npy") && (!name.empty() || !path.ends_with(".npz")))
      throw UsageError(fmt::format("--output: expected [NAME=]FILE.npy or FILE.npz, got '{}'", argument));
    const bool is_all = path.ends_with(".npz");
    targets.emplace_back(is_all ? 0 : index_of(name, model.output_names(), "output"), path);
  }
  return targets;
}

/// Runs `size` samples at a time, which are along the first dimension of all inputs and outputs.
Values predict_in_batches(const GraphPredictor& model, const Values& inputs, int64_t size) {
  const auto samples_of = [](const at::Tensor& value) { return value.dim() > 0 ? value.size(0) : -1; };
  const int64_t samples = samples_of(inputs[0]);
  std::vector<Values> parts(model.output_names().size());
  for (int64_t begin = 0; begin == 0 || begin < samples; begin += size) {
    Values batch;
    for (const at::Tensor& input : inputs) {
      if (samples < 0 || samples_of(input) != samples)
        throw UsageError("--batch: expected inputs with as many samples in the first dimension");
      batch.push_back(input.narrow(0, begin, std::min(size, samples - begin)));
    }
    const Values results = model(batch);
    for (size_t i = 0; i < results.size(); ++i) {
      if (samples_of(results[i]) != samples_of(batch[0])) {
        throw UsageError(
            fmt::format("--batch: expected a result for each sample, output '{}' has the shape {}",
                        model.output_names()[i], to_string(results[i].sizes().vec())));
      }
      parts[i].push_back(results[i]);
    }
  }
  Values results;
  for (const Values& part : parts) results.push_back(at::cat(part));
  return results;
}

void write(const GraphPredictor& model, const Values& results, const Targets& targets) {
  for (const auto& [index, path] : targets) {
    if (path.ends_with(".npy")) {
      save_npy(path, results[index]);
      continue;
    }
    std::map<std::string, at::Tensor> all;
    for (size_t i = 0; i < results.size(); ++i) all.emplace(model.output_names()[i], results[i]);
    save_checkpoint(path, all);
  }
}

void print_written(const GraphPredictor& model, const Values& results, const Targets& targets) {
  nlohmann::ordered_json outputs = nlohmann::ordered_json::array();
  for (const auto& [index, path] : targets) {
    const bool is_all = path.ends_with(".npz");
    for (size_t i = is_all ? 0 : index; i < (is_all ? results.size() : index + 1); ++i) {
      outputs.push_back({{"name", model.output_names()[i]},
                         {"dtype", to_string(results[i].scalar_type())},
                         {"shape", results[i].sizes().vec()},
                         {"file", path}});
    }
  }
  print_json({{"outputs", std::move(outputs)}});
}

int run(const Options& options) {
  const GraphPredictor model =
      load_inference_graph(options.model, {.compile = options.compute.compile_options()});
  const Targets targets = parse_outputs(model, options.outputs);
  const Values inputs = read_inputs(model, options.inputs);
  const bool in_batches = options.batch > 0 && !inputs.empty();
  const Values results = in_batches ? predict_in_batches(model, inputs, options.batch) : model(inputs);
  write(model, results, targets);
  if (options.json) print_written(model, results, targets);
  return kFine;
}

}  // namespace

Command add_predict(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("predict", "Run a model on arrays");
  app->add_option("MODEL", options->model, "The graph file")->required();
  app->add_option("--input", options->inputs, "An input's array, .npy, or .npz for all")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false);
  app->add_option("--output", options->outputs, "Where to write an output, .npy, or .npz for all")
      ->type_name("[NAME=]FILE")
      ->allow_extra_args(false)
      ->required();
  app->add_option("--batch", options->batch, "Run so many samples at a time, unless given all at once")
      ->type_name("N")
      ->check(positive_number());
  options->compute.add_options(*app);
  app->add_flag("--json", options->json, "Print what was written as JSON");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
