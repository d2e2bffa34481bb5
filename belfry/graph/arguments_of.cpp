#include "belfry/graph/arguments_of.h"

#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/internal/arguments.h"

namespace belfry {

bool ArgumentsOf::takes(std::string_view name) const {
  return node_.op().schema().argumentIndexWithName(name).has_value();
}

const std::vector<int>& ArgumentsOf::inputs(std::string_view name) const {
  const auto index = node_.op().schema().argumentIndexWithName(name);
  if (!index)
    throw InternalError(fmt::format("[{}] {} has no argument '{}'", node_.name(), node_.op_name(), name));
  return node_.arguments()[*index].inputs;
}

Tensor ArgumentsOf::tensor(std::string_view name) const {
  const std::vector<int>& given = inputs(name);
  return given.empty() || given[0] < 0 ? Tensor() : node_.inputs()[given[0]];
}

std::vector<Tensor> ArgumentsOf::tensors(std::string_view name) const {
  std::vector<Tensor> result;
  for (int index : inputs(name)) result.push_back(index < 0 ? Tensor() : node_.inputs()[index]);
  return result;
}

bool takes_gaps(const c10::Argument& argument) {
  const auto* list = internal::without_optional(*argument.type()).castRaw<c10::ListType>();
  return list && list->getElementType()->kind() == c10::TypeKind::OptionalType;
}

std::vector<at::Tensor> results_of(const c10::Stack& stack) {
  std::vector<at::Tensor> results;
  for (const c10::IValue& value : stack) {
    if (value.isTensorList()) {
      for (const at::Tensor& tensor : value.toTensorVector()) results.push_back(tensor);
    } else {
      results.push_back(value.toTensor());
    }
  }
  return results;
}

}  // namespace belfry
