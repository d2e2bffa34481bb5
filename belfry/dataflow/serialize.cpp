#include "belfry/dataflow/serialize.h"

#include <fmt/format.h>

#include <algorithm>

#include "belfry/base/error.h"
#include "belfry/base/printable.h"
#include "belfry/dataflow/internal/describe.h"
#include "belfry/dataflow/internal/stored_tensor.h"
#include "belfry/dataflow/object_component.h"
#include "belfry/formats/file_kind.h"
#include "belfry/formats/msgpack.h"
#include "belfry/formats/pickle.h"

namespace belfry {
namespace {

// What the head of an array of a few dimensions takes.
constexpr size_t kHeadSize = 96;

// A tensor takes half a kilobyte. Components beyond the first need as many bytes as an array has at least.
constexpr size_t kFreeComponents = 1 << 16, kBytesPerComponent = 32;

PythonValue parse(ByteSpan bytes, const std::string& where) {
  if (is_pickle(bytes)) return parse_pickle(where, bytes);
  try {
    return parse_msgpack(where, bytes);
  } catch (const DataError& error) {
    const std::string kind = looks_like(bytes);
    if (kind.empty()) throw;
    throw DataError(error.what() + kind);
  }
}

void write(MsgpackWriter& writer, const at::Tensor& component) {
  if (is_text(component)) return writer.text(text_of(component));
  if (is_object(component)) {
    throw UsageError(fmt::format("[dumps] expected components that are tensors or text, got {}",
                                 internal::describe(component)));
  }
  const at::Tensor dense = internal::dense(component);
  writer.array(internal::stored_type(dense.scalar_type(), "dumps"), dense.sizes().vec(),
               internal::elements_of(dense));
}

std::shared_ptr<const Datapoint::Names> names_of(const PythonDict& dict, const std::string& where) {
  std::vector<std::string_view> sorted = dict.keys;
  std::sort(sorted.begin(), sorted.end());
  if (auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end())
    throw DataError(where, fmt::format("expected different names, got '{}' twice", printable(*twice)));
  return std::make_shared<const Datapoint::Names>(dict.keys.begin(), dict.keys.end());
}

}  // namespace

std::string dumps(const Datapoint& datapoint) {
  size_t size = kHeadSize;
  for (const at::Tensor& component : datapoint) {
    size += kHeadSize;
    if (!is_object(component)) size += component.nbytes();
  }
  MsgpackWriter writer(size);
  const Datapoint::Names& names = datapoint.names();
  names.empty() ? writer.list(datapoint.size()) : writer.map(datapoint.size());
  for (size_t i = 0; i < datapoint.size(); ++i) {
    if (!names.empty()) writer.text(names[i]);
    write(writer, datapoint[i]);
  }
  return writer.take();
}

Datapoint loads(ByteSpan bytes, const std::string& where, const std::shared_ptr<const void>& owner) {
  const PythonValue value = parse(bytes, where);
  const auto* list = std::get_if<PythonValue::List>(&value.value);
  const auto* dict = std::get_if<PythonDict>(&value.value);
  if (dict) list = &dict->values;
  if (!list) {
    throw DataError(where, "expected a datapoint, which is a list or a dict, got " + type_name(value) +
                               looks_like(bytes));
  }
  if (list->size() > kFreeComponents + bytes.size() / kBytesPerComponent) {
    throw DataError(where, fmt::format("expected a datapoint of fewer components, got {} in {} bytes",
                                       list->size(), bytes.size()));
  }
  Datapoint datapoint;
  datapoint.reserve(list->size());
  for (const PythonValue& component : *list) {
    datapoint.push_back(
        internal::component_of(component, fmt::format("{}: component {}", where, datapoint.size()), owner));
  }
  if (dict) datapoint.set_names(names_of(*dict, where));
  return datapoint;
}

}  // namespace belfry
