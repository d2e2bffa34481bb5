#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "belfry/base/error.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/model.h"
#include "belfry/export/graph_file.h"
#include "belfry/export/onnx.h"
#include "belfry/runtime/session.h"

namespace belfry::cli {
namespace {

constexpr const char* kFooter =
    R"(MODEL is a file of save_inference_graph; inputs, outputs and open sizes stay as they are.

Examples:
  belfry export model.safetensors model.onnx)";

struct Options {
  std::string model, output;
  bool force = false;
};

int run(const Options& options) {
  if (!options.output.ends_with(".onnx"))
    throw UsageError(fmt::format("expected a file .onnx to write, got '{}'", options.output));
  const GraphPredictor model = load_inference_graph(options.model);
  std::vector<Shape> shapes;
  for (const Tensor& input : model.inputs()) shapes.push_back(input.shape());
  const ModelGraph copy = copy_graph(model, shapes);
  Session session(*copy.graph);
  export_onnx(session, {copy.inputs.begin(), copy.inputs.end()}, {copy.outputs.begin(), copy.outputs.end()},
              options.output, {.overwrite = options.force});
  return kFine;
}

}  // namespace

Command add_export(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("export", "Write a model as ONNX");
  app->add_option("MODEL", options->model, "The graph file")->required();
  app->add_option("OUT", options->output, "Where to write: a file .onnx")->required();
  app->add_flag("--force", options->force, "Replace a file that exists");
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
