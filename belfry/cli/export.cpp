#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/model.h"
#include "belfry/cli/output.h"
#include "belfry/interchange/graph_file.h"
#include "belfry/interchange/onnx.h"
#include "belfry/interchange/saved_model.h"
#include "belfry/predict/graph_predictor.h"
#include "belfry/runtime/session.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter =
    R"(MODEL is a file of save_inference_graph; inputs, outputs and open sizes stay as they are. OUT says the
format by its end:
  .onnx   ONNX; weights of more than 2 GB go to OUT.data beside it
  .pb     a frozen GraphDef for TensorFlow
  /       a folder with a SavedModel for TensorFlow, which must be new
--json says what was written: {"format", "inputs", "outputs", "files": [{"path", "bytes"}, ...]}.

Examples:
  belfry export model.safetensors model.onnx
  belfry export model.safetensors model.pb --force
  belfry export model.safetensors serving/model/1/)";

struct Options {
  std::string model, output;
  bool force = false, json = false;
};

std::string format_of(const std::string& output) {
  if (output.ends_with(".onnx")) return "onnx";
  if (output.ends_with(".pb")) return "frozen_graph";
  if (output.ends_with('/')) return "saved_model";
  throw UsageError(fmt::format("expected OUT to end in .onnx, .pb or /, got '{}'", output));
}

void write(const std::string& format, const Function& model, const std::string& output, bool force) {
  if (format == "onnx") {
    export_onnx(model, output, {.overwrite = force});
  } else if (format == "frozen_graph") {
    export_frozen_graph(model, output, {.overwrite = force});
  } else {
    const std::string folder = output.substr(0, output.find_last_not_of('/') + 1);
    FileSystem::posix().make_dirs(folder_of(folder));
    export_saved_model(model, folder);
  }
}

nlohmann::ordered_json files_to_json(const std::string& output) {
  namespace fs = std::filesystem;
  nlohmann::ordered_json files = nlohmann::ordered_json::array();
  const auto add = [&](const fs::path& path) {
    if (fs::is_regular_file(path)) files.push_back({{"path", path.string()}, {"bytes", fs::file_size(path)}});
  };
  if (fs::is_directory(output)) {
    for (const auto& entry : fs::recursive_directory_iterator(output)) add(entry.path());
  } else {
    add(output);
    add(output + ".data");
  }
  return files;
}

int run(const Options& options) {
  const std::string format = format_of(options.output);
  const GraphPredictor model = load_inference_graph(options.model);
  write(format, model.function(), options.output, options.force);
  if (options.json) {
    print_json({{"format", format},
                {"inputs", ends_to_json(model.inputs())},
                {"outputs", ends_to_json(model.outputs())},
                {"files", files_to_json(options.output)}});
  }
  return kFine;
}

}  // namespace

Command add_export(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("export", "Write a model for ONNX or TensorFlow");
  app->add_option("MODEL", options->model, "The graph file")->required();
  app->add_option("OUT", options->output,
                  "Where to write: a file .onnx or .pb, or a folder with a / behind it")
      ->required();
  app->add_flag("--force", options->force, "Replace files that exist");
  app->add_flag("--json", options->json, "Print what was written as JSON");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
