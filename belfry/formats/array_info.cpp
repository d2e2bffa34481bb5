#include "belfry/formats/array_info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace belfry {
namespace {

// Counts stay below 2^63 so that they also fit the signed types of other libraries.
std::optional<uint64_t> product(uint64_t a, uint64_t b) {
  uint64_t result;
  if (__builtin_mul_overflow(a, b, &result) || result > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
  return result;
}

}  // namespace

std::optional<uint64_t> element_count(const std::vector<int64_t>& shape) {
  std::optional<uint64_t> count = 1;
  for (int64_t size : shape) {
    if (size < 0) return std::nullopt;
    if (count) count = product(*count, static_cast<uint64_t>(size));
  }
  return count;
}

std::optional<uint64_t> byte_size(DataType dtype, const std::vector<int64_t>& shape) {
  std::optional<uint64_t> count = element_count(shape);
  if (!count || size_of(dtype) == 0) return std::nullopt;
  return product(*count, size_of(dtype));
}

std::string describe(DataType dtype, const std::vector<int64_t>& shape) {
  return fmt::format("{} [{}]", to_string(dtype), fmt::join(shape, ", "));
}

}  // namespace belfry
