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

struct PythonValue;

/// A list of numbers of one type, which may be millions.
struct PythonNumbers {
  DataType dtype = DataType::kInvalid;  ///< kBool, kInt64, kUInt64 or kFloat64
  std::vector<uint64_t> bits;           ///< of each number

  /// False, without a change, for what is no number or one of another type than those before it.
  bool add(const PythonValue& value);
};

/// A dict whose keys are text, in its order; a key may come twice. Only the outermost value may be one.
struct PythonDict {
  std::vector<std::string_view> keys;
  std::vector<PythonValue> values;  // one for each key
};

/// What Python programs put into datapoints: None, bool, int (uint64_t only from 2^63 on), float, str, bytes,
/// numpy arrays and scalars, lists of these (tuples come as lists), and a dict of all these. Text, bytes and
/// arrays are views into the bytes that were parsed. numpy's arrays of objects come as lists, in each other
/// where they have more dimensions. Lists inside the outermost one come as PythonNumbers where they have more
/// than kMaxPythonRank numbers of one type.
struct PythonValue {
  using List = std::vector<PythonValue>;
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string_view, ByteSpan, PythonArray, List,
               PythonNumbers, PythonDict>
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

/// Dimensions of numpy's arrays.
inline constexpr uint64_t kMaxPythonRank = 64;

/// How many values may be made of that many serialized bytes: one takes a hundred times the memory of a byte.
/// Arrays count once, and so do long lists of numbers.
constexpr uint64_t most_python_values(uint64_t bytes) {
  return (uint64_t{1} << 18) + bytes / 4;
}

}  // namespace belfry
