#include "belfry/formats/array_info.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

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
  // LibTorch refuses sizes whose product does not fit, also where a zero among them makes it zero.
  std::optional<uint64_t> count = 1;
  bool is_empty = false;
  for (int64_t size : shape) {
    if (size < 0) return std::nullopt;
    is_empty |= size == 0;
    if (count) count = product(*count, static_cast<uint64_t>(std::max<int64_t>(size, 1)));
  }
  return count && is_empty ? 0 : count;
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
