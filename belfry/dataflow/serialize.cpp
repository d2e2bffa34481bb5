#include "belfry/dataflow/serialize.h"

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/dataflow/internal/stored_tensor.h"
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

}  // namespace

std::string dumps(const Datapoint& datapoint) {
  size_t size = kHeadSize;
  for (const at::Tensor& tensor : datapoint) size += tensor.nbytes() + kHeadSize;
  MsgpackWriter writer(size);
  writer.list(datapoint.size());
  for (const at::Tensor& tensor : datapoint) {
    const at::Tensor dense = internal::dense(tensor);
    writer.array(internal::stored_type(dense.scalar_type(), "dumps"), dense.sizes().vec(),
                 internal::elements_of(dense));
  }
  return writer.take();
}

Datapoint loads(ByteSpan bytes, const std::string& where, const std::shared_ptr<const void>& owner) {
  const PythonValue value = parse(bytes, where);
  const auto* list = std::get_if<PythonValue::List>(&value.value);
  if (!list)
    throw DataError(where,
                    "expected a datapoint, which is a list, got " + type_name(value) + looks_like(bytes));
  if (list->size() > kFreeComponents + bytes.size() / kBytesPerComponent) {
    throw DataError(where, fmt::format("expected a datapoint of fewer components, got {} in {} bytes",
                                       list->size(), bytes.size()));
  }
  Datapoint datapoint;
  datapoint.reserve(list->size());
  for (const PythonValue& component : *list) {
    datapoint.push_back(
        internal::tensor_of(component, fmt::format("{}: component {}", where, datapoint.size()), owner));
  }
  return datapoint;
}

}  // namespace belfry
