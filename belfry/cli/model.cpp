#include "belfry/cli/model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "belfry/base/error.h"

namespace belfry::cli {
namespace {

Shape parse_shape(const std::string& text) {
  Shape shape;
  const char *at = text.data(), *end = at + text.size();
  while (true) {
    int64_t size = -1;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 0 || (next != end && *next != ','))
      throw UsageError(fmt::format("--shape: expected sizes like 1,224,224,3, got '{}'", text));
    shape.push_back(size);
    if (next == end) return shape;
    at = next + 1;
  }
}

}  // namespace

std::pair<std::string, std::string> split_name(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos) return {"", argument};
  if (equals + 1 == argument.size()) throw UsageError(fmt::format("expected NAME=VALUE, got '{}'", argument));
  return {argument.substr(0, equals), argument.substr(equals + 1)};
}

size_t index_of(const std::string& name, const std::vector<std::string>& names, const char* what) {
  if (name.empty() && names.size() == 1) return 0;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  throw UsageError(fmt::format("expected an {} among {}, got {}", what, fmt::join(names, ", "),
                               name.empty() ? "no name" : "'" + name + "'"));
}

void InputShapes::add_options(CLI::App& app) {
  app.add_option("--shape", arguments_,
                 "All sizes of an input, where the model leaves more open than the batch: image=1,224,224,3")
      ->type_name("[NAME=]SIZES")
      ->allow_extra_args(false);
}

std::vector<Shape> InputShapes::of(const GraphPredictor& model, int64_t batch) const {
  std::vector<Shape> shapes;
  for (const TensorSpec& input : model.inputs()) {
    shapes.push_back(input.shape);
    if (!input.shape.empty() && input.shape[0] == kDynamic) shapes.back()[0] = batch;
  }
  for (const std::string& argument : arguments_) {
    const auto [name, sizes] = split_name(argument);
    const size_t i = index_of(name, model.input_names(), "input");
    shapes[i] = parse_shape(sizes);
    if (!is_compatible_with(model.inputs()[i].shape, shapes[i])) {
      throw UsageError(fmt::format("[input {}] expected a shape that fits {}, got {}", model.inputs()[i].name,
                                   to_string(model.inputs()[i].shape), to_string(shapes[i])));
    }
  }
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (std::find(shapes[i].begin(), shapes[i].end(), kDynamic) != shapes[i].end()) {
      throw UsageError(fmt::format("[input {}] expected --shape, as the model leaves sizes open: {}",
                                   model.inputs()[i].name, to_string(shapes[i])));
    }
  }
  return shapes;
}

void ComputeOption::add_options(CLI::App& app) {
  app.add_option("--compute", name_, "float32, or bfloat16 for the large operators")
      ->type_name("DTYPE")
      ->check(CLI::IsMember({"float32", "bfloat16"}));
}

CompileOptions ComputeOption::compile_options() const {
  return {.compute = name_ == "bfloat16" ? kBFloat16 : kFloat32};
}

nlohmann::ordered_json ends_to_json(const std::vector<TensorSpec>& specs) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const TensorSpec& spec : specs)
    json.push_back({{"name", spec.name}, {"dtype", to_string(spec.dtype)}, {"shape", spec.shape}});
  return json;
}

}  // namespace belfry::cli
