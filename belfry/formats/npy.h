#pragma once

#include <string>
#include <string_view>

#include "belfry/base/file_system.h"
#include "belfry/formats/array_info.h"

namespace belfry {

/// The head of a numpy .npy file. The name is left empty.
struct NpyHeader {
  ArrayInfo info;
  bool fortran_order = false;  // column-major
  bool big_endian = false;
  size_t size = 0;  // bytes up to the first element
};

/// Length that a buffer must have for parse_npy_header to succeed whenever the file is good; known from the
/// first 12 bytes, at most `kNpyMaxHeader`. Throws DataError naming `where` when this is no npy file of
/// version 1 to 3.
size_t npy_header_size(const std::string& where, std::string_view first_bytes);
inline constexpr size_t kNpyPrefix = 12, kNpyMaxHeader = 1 << 20;

/// Parses versions 1 to 3. Throws DataError naming `where`; also for pickled objects, strings and structures,
/// which are not read.
NpyHeader parse_npy_header(const std::string& where, std::string_view bytes);

/// The head that numpy writes for such an array. Throws UsageError when npy has no such type.
std::string npy_header(DataType dtype, const std::vector<int64_t>& shape);

/// Brings the elements of a file with this header to little-endian, row-major order, in place.
void normalise(const NpyHeader& header, MutableByteSpan elements);

}  // namespace belfry
