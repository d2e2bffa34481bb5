#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/array_info.h"

namespace belfry {

/// The head of a numpy .npy file. The name is left empty.
struct NpyHeader {
  ArrayInfo info;
  /// numpy's word for a type that is not one of ours ("<U5", "|O", a structure's list): then the dtype is
  /// kInvalid. Empty for all others.
  std::string foreign_type;
  bool fortran_order = false;  // column-major
  bool big_endian = false;
  size_t size = 0;  // bytes up to the first element
};

/// Length that a buffer must have for parse_npy_header to succeed whenever the file is good; known from the
/// first 12 bytes, at most `kNpyMaxHeader`. Throws DataError naming `where` when this is no npy file of
/// version 1 to 3.
size_t npy_header_size(const std::string& where, std::string_view first_bytes);
inline constexpr size_t kNpyPrefix = 12, kNpyMaxHeader = 1 << 20;

/// Parses versions 1 to 3. Throws DataError naming `where`.
NpyHeader parse_npy_header(const std::string& where, std::string_view bytes);

/// Throws DataError naming `where` when the elements are not numbers that we read: pickled objects, text,
/// dates, structures.
void check_numbers(const std::string& where, const NpyHeader& header);

/// Whether a pickle follows the head, not elements: an array of Python's objects.
bool is_pickled(const NpyHeader& header);

/// The head that numpy writes for such an array. Throws UsageError when npy has no such type.
std::string npy_header(DataType dtype, const std::vector<int64_t>& shape);

/// Makes elements of `size` bytes row-major, in place. `slowest_first` are the axes of `shape` in the order
/// in which the elements lie: {0, 1, 2} is row-major already, {2, 1, 0} column-major. Requires: a
/// permutation.
void to_row_major(MutableByteSpan elements, const std::vector<int64_t>& shape,
                  const std::vector<size_t>& slowest_first, size_t size);

/// Brings the elements of a file with this header to little-endian, row-major order, in place.
void to_native_layout(const NpyHeader& header, MutableByteSpan elements);

}  // namespace belfry
