#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "belfry/base/atomic_file.h"
#include "belfry/base/error.h"
#include "belfry/cli/commands.h"
#include "belfry/cli/flops.h"
#include "belfry/cli/model.h"
#include "belfry/cli/number_checks.h"
#include "belfry/cli/output.h"
#include "belfry/cli/svg.h"
#include "belfry/formats/array_info.h"
#include "belfry/graph/node.h"
#include "belfry/graph/rewriter.h"
#include "belfry/predict/graph_predictor.h"

// `belfry describe`: a model at a given batch size, so that all shapes are numbers, as a table, as JSON, as
// a drawing, or as the instructions that the inference compiler makes of it. FLOPs are counted in flops.cpp;
// the peak of memory follows from the last use of each value.
namespace belfry::cli {
namespace {

using nlohmann::ordered_json;

constexpr const char* kFooter =
    R"(MODEL is a file of save_inference_graph. Lists inputs, outputs, and one line for each operator: name,
operator, output, parameters that it is the first to use, FLOPs. The memory is that of the values that
are alive at the same time, if every operator writes a new one.

FLOPs, for each:
  multiply-add of a convolution, matrix product, attention   2, and 1 for each addition of a bias
  score of a softmax, also attention's                       4
  result of a pool                                           elements of the window
  element of batch_norm 2, l2_normalize 3, layer_norm and group_norm 7
  element that a sum, mean, max, min or prod takes in        1
  result of any other function, element by element           1
Reshapes, copies, concatenations and the like move elements and count 0.

--svg draws the graph instead, with arrows for tensors, blue boxes for convolutions, products and
attention, and without weights.

Examples:
  belfry describe model.safetensors
  belfry describe model.safetensors --batch 32 --shape image=32,224,224,3
  belfry describe model.safetensors --svg model.svg
  belfry describe model.safetensors --compiled)";

struct Options {
  std::string model;
  int64_t batch = 1;
  InputShapes shapes;
  std::string svg;
  bool compiled = false, json = false, force = false;
};

struct Row {
  const Node* node;
  uint64_t parameters = 0;
  int64_t flops = 0;
};

struct Description {
  std::vector<Row> rows;
  uint64_t parameters = 0, weight_bytes = 0, peak_bytes = 0;
  int64_t flops = 0;
};

uint64_t elements_of(const Tensor& tensor) {
  return element_count(tensor.shape()).value_or(0);
}
uint64_t bytes_of(const Tensor& tensor) {
  return elements_of(tensor) * c10::elementSize(tensor.dtype());
}

bool is_call(const Node& node) {
  return node.kind() != NodeKind::kPlaceholder && node.kind() != NodeKind::kConstant;
}

/// The most bytes that inputs and results of operators take at one time, from the node that makes each to the
/// last that reads it.
uint64_t peak_bytes(const Function& model) {
  std::unordered_map<Tensor, size_t> last_use;
  const auto& nodes = model.graph->nodes();
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (const Tensor& input : nodes[i]->inputs()) last_use[input] = i;
  }
  for (const Tensor& output : model.outputs) last_use[output] = nodes.size();
  std::map<size_t, uint64_t> ends;  // bytes that are free after a node
  uint64_t now = 0, peak = 0;
  for (size_t i = 0; i < nodes.size(); ++i) {
    for (int k = 0; k < static_cast<int>(nodes[i]->outputs().size()); ++k) {
      const Tensor output = nodes[i]->output(k);
      if (nodes[i]->kind() == NodeKind::kConstant) continue;
      now += bytes_of(output);
      ends[last_use.contains(output) ? last_use.at(output) : i] += bytes_of(output);
    }
    peak = std::max(peak, now);
    now -= ends[i];
  }
  return peak;
}

Description describe(const Function& model) {
  Description result{.peak_bytes = peak_bytes(model)};
  std::unordered_set<Tensor> seen;
  for (const auto& node : model.graph->nodes()) {
    if (!is_call(*node)) continue;
    Row row{.node = node.get(), .flops = flops_of(*node)};
    for (const Tensor& input : node->inputs()) {
      if (input.node().kind() != NodeKind::kConstant || !seen.insert(input).second) continue;
      row.parameters += elements_of(input);
      result.weight_bytes += bytes_of(input);
    }
    result.parameters += row.parameters;
    result.flops += row.flops;
    result.rows.push_back(row);
  }
  return result;
}

/// "1.2G"
std::string human_count(int64_t count) {
  double value = static_cast<double>(count);
  const char* unit = " KMGTPE";
  for (; value >= 999.95 && unit[1]; value /= 1000) ++unit;
  return *unit == ' ' ? std::to_string(count) : fmt::format("{:.1f}{}", value, *unit);
}

void print_ends(const char* what, const std::vector<TensorSpec>& specs) {
  for (const TensorSpec& spec : specs)
    print_line("{} {} {} {}", what, spec.name, to_string(spec.dtype), compact(spec.shape));
}

void print_table(const Description& description, int64_t batch) {
  Table table({Table::kLeft, Table::kLeft, Table::kLeft, Table::kLeft, Table::kRight, Table::kRight});
  table.add({"NAME", "OPERATOR", "DTYPE", "OUTPUT", "PARAMETERS", "FLOPS"});
  for (const auto& [node, parameters, flops] : description.rows) {
    const NodeOutput& output = node->outputs()[0];
    table.add({node->name(), node->op_name(), to_string(output.dtype), compact(output.shape),
               parameters ? std::to_string(parameters) : "", flops ? human_count(flops) : ""});
  }
  table.print();
  print_line("total: {} operators, {} parameters, {} of weights; at batch {} {} FLOPs, {} of values",
             description.rows.size(), description.parameters, human_size(description.weight_bytes), batch,
             human_count(description.flops), human_size(description.peak_bytes));
}

ordered_json to_json(const GraphPredictor& model, const Description& description, int64_t batch) {
  ordered_json operators = ordered_json::array();
  for (const auto& [node, parameters, flops] : description.rows) {
    const NodeOutput& output = node->outputs()[0];
    operators.push_back({{"name", node->name()},
                         {"operator", node->op_name()},
                         {"dtype", to_string(output.dtype)},
                         {"shape", output.shape},
                         {"parameters", parameters},
                         {"flops", flops}});
  }
  return {{"inputs", ends_to_json(model.inputs())},
          {"outputs", ends_to_json(model.outputs())},
          {"operators", std::move(operators)},
          {"total",
           {{"batch", batch},
            {"parameters", description.parameters},
            {"weight_bytes", description.weight_bytes},
            {"flops", description.flops},
            {"value_bytes", description.peak_bytes}}}};
}

void print_compiled(Function function) {
  const GraphPredictor predict(std::move(function));
  std::vector<at::Tensor> zeros;
  for (const TensorSpec& input : predict.inputs()) zeros.push_back(at::zeros(input.shape, input.dtype));
  predict(zeros);  // makes the program
  std::istringstream description(predict.describe());
  for (std::string line; std::getline(description, line);) print_line(line);
}

void draw(const GraphPredictor& model, const std::string& path, bool force) {
  FileSystem& files = FileSystem::posix();
  if (!force && files.exists(path))
    throw UsageError(fmt::format("--svg: expected a new file, got {}, which exists", path));
  write_file_atomically(files, path, as_byte_span(to_svg(model.function())));
}

int run(const Options& options) {
  const GraphPredictor model = load_inference_graph(options.model);
  if (!options.svg.empty()) {
    draw(model, options.svg, options.force);
    return kFine;
  }
  const Function shaped = Rewriter(model.function(), options.shapes.of(model, options.batch)).run();
  const Description description = describe(shaped);
  if (options.compiled) {
    print_compiled(shaped);
  } else if (options.json) {
    print_json(to_json(model, description, options.batch));
  } else {
    print_ends("input", model.inputs());
    print_ends("output", model.outputs());
    print_table(description, options.batch);
  }
  return kFine;
}

}  // namespace

Command add_describe(CLI::App& program) {
  auto options = std::make_shared<Options>();
  CLI::App* app = program.add_subcommand("describe", "List a model's operators, parameters and costs");
  app->add_option("MODEL", options->model, "The graph file")->required();
  app->add_option("--batch", options->batch, "Size of the batch that costs are given for, 1 unless given")
      ->type_name("N")
      ->check(positive_number());
  options->shapes.add_options(*app);
  CLI::Option* compiled = app->add_flag("--compiled", options->compiled,
                                        "What the inference compiler makes of it: passes and instructions");
  CLI::Option* json = app->add_flag("--json", options->json, "Print JSON")->excludes(compiled);
  CLI::Option* svg =
      app->add_option("--svg", options->svg, "Draw the graph, with the sizes of the file, into this file")
          ->type_name("FILE")
          ->excludes(compiled)
          ->excludes(json);
  app->add_flag("--force", options->force, "Replace a drawing that exists")->needs(svg);
  app->footer(kFooter);
  return {app, [options] { return run(*options); }};
}

}  // namespace belfry::cli
