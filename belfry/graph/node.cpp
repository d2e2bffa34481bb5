#include "belfry/graph/node.h"

#include <fmt/format.h>

#include <sstream>

#include "belfry/base/error.h"

namespace belfry {

std::string Node::op_name() const {
  return c10::toString(data_.op.operator_name());
}

const c10::IValue& Node::attribute(std::string_view name) const {
  const auto index = data_.op.schema().argumentIndexWithName(name);
  if (!index) throw InternalError(fmt::format("[{}] {} has no argument '{}'", data_.name, op_name(), name));
  return data_.arguments[*index].constant;
}

std::string describe(const Node& node) {
  std::string text;
  const auto& arguments = node.op().schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = node.arguments()[i];
    std::string value;
    switch (argument.kind) {
      case Argument::Kind::kConstant:
        if (argument.constant.isNone()) continue;
        if (argument.constant.isTensor()) {
          value = "<constant>";
        } else {
          std::ostringstream stream;
          stream << argument.constant;
          value = stream.str();
        }
        break;
      case Argument::Kind::kInput:
        value = node.inputs()[argument.inputs[0]].name();
        break;
      case Argument::Kind::kInputList:
        for (int index : argument.inputs) {
          value += (value.empty() ? "" : ", ") + (index < 0 ? "none" : node.inputs()[index].name());
        }
        value = "[" + value + "]";
        break;
      case Argument::Kind::kGenerator:
        continue;
    }
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", arguments[i].name(), value);
  }
  return fmt::format("{}({})", node.op_name(), text);
}

}  // namespace belfry
