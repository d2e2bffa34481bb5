#pragma once

#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/dtype.h"
#include "belfry/formats/python_value.h"

namespace belfry {

// MessagePack as tensorpack writes datapoints with TENSORPACK_SERIALIZE=msgpack: a list of values, numpy
// arrays in msgpack_numpy's form, a map of nd, type, kind, shape, data (and nd, type, data for a numpy
// scalar).

/// The one value that `bytes` hold; a view of them. Throws DataError with `where` and the offset when they
/// are cut off, go on behind the value, are nested deeper than kMaxPythonDepth, or hold what a PythonValue
/// cannot: dictionaries inside of others or with other keys than text, extension types, arrays of objects.
/// Memory stays within a fixed multiple of `bytes`, whatever lengths they claim.
PythonValue parse_msgpack(const std::string& where, ByteSpan bytes);

/// Appends values to a string. A list is its head and then its elements, and so is a map.
class MsgpackWriter {
 public:
  /// Takes memory for `size` bytes at once.
  explicit MsgpackWriter(size_t size = 0) { out_.reserve(size); }

  void list(size_t elements);
  /// A dict: so many times a key, which is text, and its value.
  void map(size_t elements);
  void text(std::string_view text);
  void bytes(ByteSpan bytes);
  /// An array, little-endian and row-major; a numpy scalar when `shape` is empty. Throws UsageError when
  /// numpy has no such type, or `elements` is not what type and shape take.
  void array(DataType dtype, const std::vector<int64_t>& shape, ByteSpan elements);

  /// What was written; the writer is empty afterwards.
  std::string take() { return std::move(out_); }

 private:
  void head(uint8_t short_head, size_t short_limit, uint8_t long_head, size_t size);
  void integer(uint64_t value);
  void key(std::string_view name);

  std::string out_;
};

}  // namespace belfry
