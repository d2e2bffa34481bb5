#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "belfry/formats/dtype.h"

namespace belfry {

/// What every format says of an array that it stores. The elements themselves are always passed as bytes:
/// little endian, row-major, dense.
struct ArrayInfo {
  std::string name;
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> shape;
};

/// Product of `shape`; 1 for a scalar. None when a size is negative or the product does not fit, leaving
/// zeros out.
std::optional<uint64_t> element_count(const std::vector<int64_t>& shape);

/// Bytes that an array of such elements takes. None when it does not fit, or the type has no fixed size.
std::optional<uint64_t> byte_size(DataType dtype, const std::vector<int64_t>& shape);

/// "float32 [3, 4]"
std::string describe(DataType dtype, const std::vector<int64_t>& shape);

}  // namespace belfry
