#include "belfry/interchange/graph_file.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/formats/safetensors.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/internal/graph_file/json.h"

namespace belfry {
namespace {

constexpr const char* kGraphKey = "belfry_graph";

internal::NamedWeights read_weights(const std::string& path, const SafetensorsReader& file) {
  internal::NamedWeights weights;
  for (const ArrayInfo& info : file.entries()) {
    const DType dtype = to_dtype(info.dtype);
    if (dtype == DType::Undefined)
      throw DataError(path, fmt::format("[tensor {}] unsupported dtype {}", info.name, file.type_name(info)));
    at::Tensor value = at::empty(info.shape, dtype);
    file.read(info.name, {static_cast<std::byte*>(value.mutable_data_ptr()), value.nbytes()});
    weights.emplace_back(info.name, std::move(value));
  }
  return weights;
}

}  // namespace

void save_inference_graph(Session& session, const std::vector<Fetch>& inputs,
                          const std::vector<Fetch>& outputs, const std::string& path,
                          const GraphFileOptions& options) {
  if (!options.overwrite && FileSystem::posix().exists(path))
    throw UsageError(fmt::format("[save_inference_graph] expected a new file, got {}, which exists", path));
  internal::NamedWeights weights;
  const std::string json =
      internal::write_graph_json(freeze_function("save_inference_graph", session, inputs, outputs), weights);
  std::vector<SafetensorsItem> items;
  for (const auto& [name, value] : weights) {
    items.push_back({{name, to_stored(value.scalar_type(), name), value.sizes().vec()},
                     {static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()}});
  }
  write_safetensors(path, std::move(items), {{kGraphKey, json}});
}

Function read_inference_graph(const std::string& path, const GraphReadOptions& options, FileSystem& files) {
  const SafetensorsReader file(path, files);
  const auto graph = file.metadata().find(kGraphKey);
  if (graph == file.metadata().end()) throw DataError(path, "holds no inference graph");
  return internal::read_graph_json(path, graph->second, read_weights(path, file), options.further_operators);
}

}  // namespace belfry
