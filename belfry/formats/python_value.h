#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/dtype.h"

namespace belfry {

/// A numpy array or numpy scalar (then `shape` is empty) as it lies in serialized bytes.
struct PythonArray {
  DataType dtype = DataType::kInvalid;
  bool big_endian = false;
  /// The axes in the order in which the elements lie, slowest first; empty: row-major.
  std::vector<size_t> axis_order;
  std::vector<int64_t> shape;
  /// Exactly the byte_size() of dtype and shape.
  ByteSpan elements;
};

/// What Python programs put into datapoints: None, bool, int (uint64_t only from 2^63 on), float, str, bytes,
/// numpy arrays and scalars, and lists of these (tuples come as lists). Text, bytes and arrays are views into
/// the bytes that were parsed.
struct PythonValue {
  using List = std::vector<PythonValue>;
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string_view, ByteSpan, PythonArray, List>
      value;
};

/// "bytes", "list", …: Python's word, for messages.
std::string type_name(const PythonValue& value);

/// The array that a numpy descriptor ("<f4"), a shape and bytes make. Throws DataError naming `where` when
/// the type is not a number's (objects, strings, dates, structures) or the bytes have another size.
PythonArray python_array(const std::string& where, std::string_view descr, std::vector<int64_t> shape,
                         ByteSpan elements);

/// Copies the elements to `out`, little-endian and row-major. Requires: `out` has their size.
void copy_elements(const PythonArray& array, MutableByteSpan out);

/// How deep lists may be nested in what is parsed.
inline constexpr int kMaxPythonDepth = 64;

}  // namespace belfry
