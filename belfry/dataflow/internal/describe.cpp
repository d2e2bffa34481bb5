#include "belfry/dataflow/internal/describe.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace belfry::internal {

std::string describe(at::ScalarType dtype, at::IntArrayRef sizes) {
  return fmt::format("{} [{}]", c10::toString(dtype), fmt::join(sizes, ", "));
}

std::string describe(const at::Tensor& tensor) {
  return tensor.defined() ? describe(tensor.scalar_type(), tensor.sizes()) : "undefined";
}

}  // namespace belfry::internal
