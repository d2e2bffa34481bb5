#include "belfry/graph/node.h"

#include <fmt/format.h>

#include <sstream>

#include "belfry/base/error.h"
#include "belfry/base/global_seed.h"
#include "belfry/graph/graph.h"

namespace belfry {
namespace {

/// FNV-1a: the same on every platform, unlike std::hash, so that seeded runs can be repeated anywhere.
uint64_t hash_name(std::string_view name, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325u ^ (seed * 0x9e3779b97f4a7c15u);
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

}  // namespace

std::string Node::op_name() const {
  return c10::toString(data_.op.operator_name());
}

std::vector<Tensor> Node::output_tensors() const {
  std::vector<Tensor> tensors;
  for (int i = 0; i < static_cast<int>(outputs().size()); ++i) tensors.push_back(output(i));
  return tensors;
}

std::optional<uint64_t> Node::seed() const {
  if (data_.seed) return data_.seed->exact ? data_.seed->value : hash_name(data_.name, data_.seed->value);
  if (const auto seed = graph_->seed()) return hash_name(data_.name, *seed);
  if (const auto seed = fixed_rng_seed()) return hash_name(data_.name, *seed);
  return {};
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
