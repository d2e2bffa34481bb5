#include "belfry/formats/python_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/formats/npy.h"

namespace belfry {

std::string type_name(const PythonValue& value) {
  constexpr const char* kNames[] = {"None",  "bool",  "int",  "int",  "float", "str",
                                    "bytes", "array", "list", "list", "dict"};
  static_assert(std::size(kNames) == std::variant_size_v<decltype(PythonValue::value)>);
  return kNames[value.value.index()];
}

bool PythonNumbers::add(const PythonValue& value) {
  using Number = std::pair<DataType, uint64_t>;
  const auto number = std::visit(
      []<typename T>(const T& held) -> std::optional<Number> {
        if constexpr (std::is_same_v<T, bool>) return Number(DataType::kBool, held);
        if constexpr (std::is_same_v<T, int64_t>) return Number(DataType::kInt64, held);
        if constexpr (std::is_same_v<T, uint64_t>) return Number(DataType::kUInt64, held);
        if constexpr (std::is_same_v<T, double>)
          return Number(DataType::kFloat64, std::bit_cast<uint64_t>(held));
        return std::nullopt;
      },
      value.value);
  if (!number || (!bits.empty() && dtype != number->first)) return false;
  dtype = number->first;
  bits.push_back(number->second);
  return true;
}

PythonArray python_array(const std::string& where, std::string_view descr, std::vector<int64_t> shape,
                         ByteSpan elements) {
  const bool has_order = !descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos;
  const DataType dtype = has_order ? from_npy_descr(descr) : DataType::kInvalid;
  if (dtype == DataType::kInvalid)
    throw DataError(where, fmt::format("expected an array of numbers, got numpy's type '{}'", descr));
  const std::optional<uint64_t> expected = byte_size(dtype, shape);
  if (expected != elements.size()) {
    throw DataError(where, fmt::format("expected the bytes of an array {}, got {} bytes",
                                       describe(dtype, shape), elements.size()));
  }
  return {dtype, descr[0] == '>', {}, std::move(shape), elements};
}

void copy_elements(const PythonArray& array, MutableByteSpan out) {
  std::ranges::copy(array.elements, out.begin());
  if (array.big_endian) {
    NpyHeader layout;
    layout.info.dtype = array.dtype;
    layout.info.shape = array.shape;
    layout.big_endian = true;
    to_native_layout(layout, out);
  }
  if (!array.axis_order.empty()) to_row_major(out, array.shape, array.axis_order, size_of(array.dtype));
}

}  // namespace belfry
