#include "belfry/graph/internal/arguments.h"

#include <ATen/core/jit_type.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "belfry/base/error.h"
#include "belfry/graph/function_value.h"

// Binding is by type alone: inputs fill the schema's tensor arguments in their order, attributes the others
// by name, with the conversions that C++ users expect (a number for a list of one, an int for a float). Each
// overload is tried whole; the reasons of those that do not fit become the message.

namespace belfry::internal {

const c10::Type& without_optional(const c10::Type& type) {
  if (auto* optional = type.castRaw<c10::OptionalType>()) return *optional->getElementType();
  return type;
}

bool is_tensor_list(const c10::Type& type) {
  auto* list = without_optional(type).castRaw<c10::ListType>();
  return list && without_optional(*list->getElementType()).kind() == c10::TypeKind::TensorType;
}

namespace {

using c10::TypeKind;

bool is_tensor(const c10::Type& type) {
  return without_optional(type).kind() == TypeKind::TensorType;
}
bool is_optional(const c10::Type& type) {
  return type.castRaw<c10::OptionalType>() != nullptr;
}

/// Says why a call does not fit a schema; turned into an error when no overload fits.
struct Misfit {
  std::string reason;
};

template <typename T>
c10::List<c10::Scalar> scalars(const std::vector<T>& numbers) {
  c10::List<c10::Scalar> list;
  for (T number : numbers) list.push_back(number);
  return list;
}

c10::IValue list_value(const c10::Argument& argument, const Attribute& attribute) {
  const auto element =
      without_optional(*without_optional(*argument.real_type()).castRaw<c10::ListType>()->getElementType())
          .kind();
  const auto& value = attribute.value();
  const bool ints = element == TypeKind::IntType || element == TypeKind::SymIntType;
  if (auto* numbers = std::get_if<std::vector<int64_t>>(&value)) {
    if (ints) return *numbers;
    if (element == TypeKind::NumberType) return scalars(*numbers);
    if (element == TypeKind::FloatType) return std::vector<double>(numbers->begin(), numbers->end());
    if (element == TypeKind::BoolType) {
      c10::List<bool> flags;
      for (int64_t number : *numbers) flags.push_back(number != 0);
      return flags;
    }
  }
  if (auto* numbers = std::get_if<std::vector<double>>(&value)) {
    if (element == TypeKind::FloatType) return *numbers;
    if (element == TypeKind::NumberType) return scalars(*numbers);
  }
  if (auto* texts = std::get_if<std::vector<std::string>>(&value); texts && element == TypeKind::StringType)
    return *texts;
  if (auto* number = std::get_if<int64_t>(&value); number && ints && argument.N()) {
    return std::vector<int64_t>(*argument.N(), *number);
  }
  throw Misfit{fmt::format("argument '{}' wants {}", argument.name(), argument.real_type()->str())};
}

c10::IValue constant_value(const c10::Argument& argument, const Attribute& attribute) {
  const c10::Type& type = without_optional(*argument.real_type());
  const auto& value = attribute.value();
  if (std::holds_alternative<std::monostate>(value)) {
    if (is_optional(*argument.type())) return {};
    throw Misfit{fmt::format("argument '{}' must not be None", argument.name())};
  }
  if (type.kind() == TypeKind::ListType) return list_value(argument, attribute);
  const auto* boolean = std::get_if<bool>(&value);
  const auto* integer = std::get_if<int64_t>(&value);
  const auto* real = std::get_if<double>(&value);
  switch (type.kind()) {
    case TypeKind::BoolType:
      if (boolean) return *boolean;
      break;
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (integer) return *integer;
      break;
    case TypeKind::ScalarTypeType:
      if (auto* dtype = std::get_if<DType>(&value)) return static_cast<int64_t>(*dtype);
      break;
    case TypeKind::LayoutType:
      if (auto* layout = std::get_if<c10::Layout>(&value)) return static_cast<int64_t>(*layout);
      break;
    case TypeKind::MemoryFormatType:
      if (auto* format = std::get_if<c10::MemoryFormat>(&value)) return static_cast<int64_t>(*format);
      break;
    case TypeKind::DeviceObjType:
      if (auto* device = std::get_if<c10::Device>(&value)) return *device;
      break;
    case TypeKind::FloatType:
      if (real) return *real;
      if (integer) return static_cast<double>(*integer);
      break;
    case TypeKind::NumberType:
      if (real) return *real;
      if (integer) return *integer;
      if (boolean) return *boolean;
      if (auto* complex = std::get_if<c10::complex<double>>(&value)) return *complex;
      break;
    case TypeKind::StringType:
      if (auto* text = std::get_if<std::string>(&value)) return *text;
      break;
    case TypeKind::TensorType:
      if (auto* tensor = std::get_if<at::Tensor>(&value)) return *tensor;
      break;
    case TypeKind::CapsuleType:
      if (auto* function = std::get_if<std::shared_ptr<const Function>>(&value); function && *function)
        return FunctionValue::of(*function);
      break;
    default:
      break;
  }
  throw Misfit{fmt::format("argument '{}' wants {}", argument.name(), argument.real_type()->str())};
}

class Binder {
 public:
  Binder(const c10::OperatorHandle& op, const std::vector<Tensor>& inputs, const Attributes& attributes,
         c10::Device device)
      : call_{op, {}, {}, 0}, positional_(inputs), attributes_(attributes), device_(device) {}

  BoundCall bind() {
    const auto& schema = call_.op.schema();
    size_t tensor_arguments = 0;
    for (const auto& argument : schema.arguments()) {
      tensor_arguments +=
          (is_tensor(*argument.type()) || is_tensor_list(*argument.type())) && !attribute(argument.name());
    }
    for (const auto& argument : schema.arguments()) {
      if (auto* given = attribute(argument.name())) {
        bind_attribute(argument, *given);
      } else if (is_tensor_list(*argument.type()) && next_ < positional_.size()) {
        bind_list(argument, tensor_arguments);
      } else if (is_tensor(*argument.type()) && next_ < positional_.size()) {
        bind_tensor(argument, positional_[next_++]);
      } else {
        bind_default(argument);
      }
    }
    if (next_ < positional_.size()) {
      throw Misfit{fmt::format("takes {} tensors, {} were given", next_, positional_.size())};
    }
    for (const auto& [name, value] : attributes_) {
      if (!schema.argumentIndexWithName(name)) throw Misfit{fmt::format("has no argument '{}'", name)};
    }
    return std::move(call_);
  }

 private:
  const Attribute* attribute(const std::string& name) const {
    for (const auto& [key, value] : attributes_) {
      if (key == name) return &value;
    }
    return nullptr;
  }

  int add_input(const Tensor& tensor) {
    call_.inputs.push_back(tensor);
    return static_cast<int>(call_.inputs.size()) - 1;
  }
  void add_constant(c10::IValue value) {
    call_.arguments.push_back({Argument::Kind::kConstant, std::move(value), {}});
  }

  void bind_attribute(const c10::Argument& argument, const Attribute& given) {
    if (auto* tensor = std::get_if<Tensor>(&given.value()); tensor && is_tensor(*argument.type())) {
      bind_tensor(argument, *tensor);
    } else if (auto* list = std::get_if<std::vector<Tensor>>(&given.value());
               list && is_tensor_list(*argument.type())) {
      bind_list(argument, *list);
    } else {
      add_constant(constant_value(argument, given));
    }
  }

  void bind_tensor(const c10::Argument& argument, const Tensor& tensor) {
    if (tensor.defined()) {
      call_.arguments.push_back({Argument::Kind::kInput, {}, {add_input(tensor)}});
    } else if (is_optional(*argument.type())) {
      add_constant({});
    } else {
      throw Misfit{fmt::format("argument '{}' must not be none", argument.name())};
    }
  }

  void bind_list(const c10::Argument& argument, size_t tensor_arguments) {
    if (tensor_arguments != 1) {
      throw Misfit{fmt::format("give the list '{}' by name, as there are other tensors", argument.name())};
    }
    bind_list(argument, positional_);
    next_ = positional_.size();
  }

  void bind_list(const c10::Argument& argument, const std::vector<Tensor>& tensors) {
    Argument list{Argument::Kind::kInputList, {}, {}};
    const auto& element = *without_optional(*argument.type()).castRaw<c10::ListType>()->getElementType();
    for (const Tensor& tensor : tensors) {
      if (!tensor.defined() && !is_optional(element)) {
        throw Misfit{fmt::format("a member of '{}' is none", argument.name())};
      }
      list.inputs.push_back(tensor.defined() ? add_input(tensor) : -1);
    }
    call_.arguments.push_back(std::move(list));
  }

  void bind_default(const c10::Argument& argument) {
    ++call_.defaults;
    const auto kind = without_optional(*argument.real_type()).kind();
    if (kind == TypeKind::GeneratorType) {
      call_.arguments.push_back({Argument::Kind::kGenerator, {}, {}});
    } else if (kind == TypeKind::DeviceObjType) {
      add_constant(device_);
    } else if (argument.default_value()) {
      add_constant(*argument.default_value());
    } else if (is_optional(*argument.type())) {
      add_constant({});
    } else if (is_tensor_list(*argument.type())) {
      call_.arguments.push_back({Argument::Kind::kInputList, {}, {}});
    } else {
      throw Misfit{fmt::format("argument '{}' is missing", argument.name())};
    }
  }

  BoundCall call_;
  const std::vector<Tensor>& positional_;
  const Attributes& attributes_;
  c10::Device device_;
  size_t next_ = 0;
};

/// The operator of that full name, or where it names no overload: the one without a name first, then those
/// that write nothing.
std::vector<c10::OperatorHandle> overloads(std::string_view full_name) {
  auto& dispatcher = c10::Dispatcher::singleton();
  const size_t dot = full_name.find('.');
  const std::string name(full_name.substr(0, dot));
  const std::string overload(dot == std::string_view::npos ? "" : full_name.substr(dot + 1));
  std::vector<c10::OperatorHandle> result;
  if (auto found = dispatcher.findSchema({name, overload})) result.push_back(*found);
  if (!overload.empty()) return result;
  static const auto* by_name = [] {
    auto* map = new std::multimap<std::string, c10::OperatorName>;
    for (const auto& op : c10::Dispatcher::singleton().getAllOpNames()) map->emplace(op.name, op);
    return map;
  }();
  for (auto [it, end] = by_name->equal_range(name); it != end; ++it) {
    if (it->second.overload_name.empty()) continue;
    auto found = dispatcher.findSchema(it->second);
    if (found && !found->schema().is_mutable()) result.push_back(*found);
  }
  return result;
}

}  // namespace

BoundCall bind_call(std::string_view name, const std::vector<Tensor>& inputs, const Attributes& attributes,
                    c10::Device device) {
  const auto candidates = overloads(name);
  if (candidates.empty())
    throw UsageError(
        fmt::format("expected the name of an operator, got '{}', which no library registers", name));
  std::string reasons;
  std::vector<BoundCall> fits;
  for (const auto& op : candidates) {
    try {
      fits.push_back(Binder(op, inputs, attributes, device).bind());
      if (op.operator_name().overload_name.empty()) break;
    } catch (const Misfit& misfit) {
      reasons += fmt::format("\n  {}: {}", c10::toString(op.schema()), misfit.reason);
    }
  }
  if (fits.empty()) throw UsageError("the arguments do not fit the operator:" + reasons);
  std::ranges::stable_sort(fits, {}, &BoundCall::defaults);
  if (fits.size() > 1 && fits[0].defaults == fits[1].defaults) {
    throw UsageError(fmt::format("the arguments fit several overloads, name one of:\n  {}\n  {}",
                                 c10::toString(fits[0].op.schema()), c10::toString(fits[1].op.schema())));
  }
  return std::move(fits[0]);
}

}  // namespace belfry::internal
