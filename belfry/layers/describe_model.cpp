#include "belfry/layers/describe_model.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <vector>

#include "belfry/graph/variable.h"
#include "belfry/layers/internal/layer_records.h"

namespace belfry {
namespace {

using Row = std::array<std::string, 4>;

int64_t elements(const Shape& shape) {
  int64_t count = 1;
  for (int64_t size : shape) count *= size;
  return count;
}

/// The innermost layer whose variable scope holds `variable`, or null.
const internal::LayerRecord* owner(const std::vector<internal::LayerRecord>& layers,
                                   const Variable& variable) {
  const internal::LayerRecord* best = nullptr;
  for (const auto& layer : layers) {
    if (variable.name().starts_with(layer.name + "/") && (!best || layer.name.size() >= best->name.size()))
      best = &layer;
  }
  return best;
}

std::string shapes_of(const std::vector<Tensor>& tensors) {
  std::string text;
  for (const Tensor& tensor : tensors) text += (text.empty() ? "" : ", ") + to_string(tensor.shape());
  return text;
}

/// Columns as wide as their widest cell; the last one, of numbers, is aligned at the right.
std::string format_table(const std::vector<Row>& rows) {
  std::array<size_t, 4> widths{};
  for (const Row& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>{}}\n", row[0], widths[0], row[1], widths[1], row[2],
                        widths[2], row[3], widths[3]);
  }
  return text;
}

}  // namespace

std::string describe_model(const Graph& graph) {
  const auto* records = graph.find_extension<internal::LayerRecords>();
  const auto layers = records ? records->list : std::vector<internal::LayerRecord>();
  const auto variables = variables_in(graph, kTrainableVariables);

  std::map<const internal::LayerRecord*, int64_t> parameters;
  std::vector<Row> others;
  int64_t total = 0, bytes = 0;
  for (const Variable& variable : variables) {
    const int64_t count = elements(variable.shape());
    total += count;
    bytes += count * static_cast<int64_t>(c10::elementSize(variable.dtype()));
    const auto* layer = owner(layers, variable);
    parameters[layer] += count;
    if (!layer) others.push_back({variable.name(), "", to_string(variable.shape()), std::to_string(count)});
  }

  std::vector<Row> rows = {{"name", "layer", "output", "parameters"}};
  for (const auto& layer : layers) {
    rows.push_back({layer.name, layer.kind, shapes_of(layer.outputs),
                    parameters.contains(&layer) ? std::to_string(parameters[&layer]) : ""});
  }
  rows.insert(rows.end(), others.begin(), others.end());
  return format_table(rows) + fmt::format("{} trainable variables of {} elements, {:.2f} MB",
                                          variables.size(), total, static_cast<double>(bytes) / (1 << 20));
}

}  // namespace belfry
