#include "belfry/dataflow/internal/describe.h"

#include <c10/util/Type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "belfry/dataflow/object_component.h"

namespace belfry::internal {

std::string describe(at::ScalarType dtype, at::IntArrayRef sizes) {
  return fmt::format("{} [{}]", c10::toString(dtype), fmt::join(sizes, ", "));
}

std::string describe(const at::Tensor& tensor) {
  if (is_text(tensor)) return "text";
  if (const auto* list = object_if<std::vector<at::Tensor>>(tensor))
    return fmt::format("a list of {} components", list->size());
  if (const std::any& object = any_of(tensor); object.has_value())
    return fmt::format("an object of {}", c10::demangle(object.type().name()));
  return tensor.defined() ? describe(tensor.scalar_type(), tensor.sizes()) : "undefined";
}

}  // namespace belfry::internal
