#include "belfry/data/storage/numpy_serializer.h"

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/data/storage/internal/columns.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/dataflow/raw.h"
#include "belfry/dataflow/shuffle_data.h"
#include "belfry/formats/npz.h"
#include "belfry/formats/pickle.h"

namespace belfry {
namespace {

constexpr const char* kPickled = "buffer";  // tensorpack's name of its list

std::string name_of(size_t component) {
  return fmt::format("arr_{}", component);
}

at::Tensor read(const NpzReader& reader, const ArrayInfo& info, const std::string& where) {
  if (info.dtype == DataType::kInvalid)
    throw DataError(where, "expected an array of numbers, got numpy's type " + reader.type_name(info));
  at::Tensor tensor = at::empty(info.shape, at::TensorOptions(internal::scalar_type(info.dtype, where)));
  reader.read(info.name, {static_cast<std::byte*>(tensor.mutable_data_ptr()), tensor.nbytes()});
  return tensor;
}

/// The list of datapoints that tensorpack pickles.
std::shared_ptr<DataFlow> read_pickled(const NpzReader& reader, const std::string& path,
                                       const NumpyLoadOptions& options) {
  const std::string where = fmt::format("{}: [array {}]", path, kPickled);
  const std::string pickle = reader.read_pickle(kPickled);
  const PythonValue whole = parse_pickle(where, as_byte_span(pickle));
  const auto* list = std::get_if<PythonValue::List>(&whole.value);
  if (!list) throw DataError(where, "expected a list of datapoints, got " + type_name(whole));
  std::vector<Datapoint> datapoints;
  for (const PythonValue& value : *list) {
    const auto* components = std::get_if<PythonValue::List>(&value.value);
    const std::string name = fmt::format("{}: datapoint {}", where, datapoints.size());
    if (!components) throw DataError(name, "expected a list of components, got " + type_name(value));
    Datapoint& datapoint = datapoints.emplace_back();
    for (const PythonValue& component : *components) {
      datapoint.push_back(
          internal::component_of(component, fmt::format("{}: component {}", name, datapoint.size())));
    }
  }
  DataFromList flow(std::move(datapoints));
  if (options.shuffle)
    return std::make_shared<ShuffleData>(std::move(flow), ShuffleDataOptions{.seed = options.seed});
  return std::make_shared<DataFromList>(std::move(flow));
}

}  // namespace

void NumpySerializer::save(AnyDataFlow flow, const std::string& path) {
  const std::vector<at::Tensor> columns = internal::columns_of(*flow, "NumpySerializer");
  NpzWriter writer(path);
  for (size_t i = 0; i < columns.size(); ++i) {
    writer.add(name_of(i), internal::stored_type(columns[i].scalar_type(), "NumpySerializer"),
               columns[i].sizes().vec(), internal::elements_of(columns[i]));
  }
  writer.finish();
}

std::shared_ptr<DataFlow> NumpySerializer::load(const std::string& path, NumpyLoadOptions options) {
  const NpzReader reader(path);
  const auto has = [&](const std::string& name) {
    return std::ranges::find(reader.entries(), name, &ArrayInfo::name) != reader.entries().end();
  };
  if (has(kPickled) && !has(name_of(0))) return read_pickled(reader, path, options);
  std::vector<at::Tensor> columns;
  for (;;) {
    const std::string name = name_of(columns.size());
    const auto info = std::ranges::find(reader.entries(), name, &ArrayInfo::name);
    if (info == reader.entries().end()) break;
    const std::string where = fmt::format("{}: [array {}]", path, name);
    const at::Tensor column = read(reader, *info, where);
    if (column.dim() == 0 || (!columns.empty() && column.size(0) != columns[0].size(0)))
      throw DataError(where, "expected as many rows as arr_0 has, got a scalar or another number");
    columns.push_back(column);
  }
  if (columns.empty()) throw DataError(path, "expected arrays arr_0, arr_1, …, got none");
  return internal::flow_of_columns(std::move(columns), options.shuffle, options.seed);
}

}  // namespace belfry
