// Graphs of one operator with random arguments: of every operator that graph files may hold, and of every one
// that import_onnx knows. Changed bytes seldom come to the second size of a pooling window being 2^32.

#include "tests/fuzz/one_operator.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/jit_type.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/internal/arguments.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/inference/freeze.h"
#include "belfry/interchange/internal/graph_file/json.h"
#include "belfry/interchange/internal/graph_operators.h"
#include "belfry/ops/state.h"
#include "tests/fuzz/choices.h"

namespace belfry::test {
namespace {

using c10::TypeKind;

/// More elements are for machines that have the memory.
constexpr int64_t kMostElements = 1 << 20;

}  // namespace

bool done(const std::function<void()>& call) {
  try {
    call();
    return true;
  } catch (const UsageError&) {
  } catch (const DataError&) {
  } catch (const ResourceError&) {
  }
  return false;
}

void show(const std::function<std::string()>& text) {
  static const bool wanted = std::getenv("BELFRY_FUZZ_SHOW") != nullptr;
  if (wanted) std::cerr << text() << std::endl;
}

bool is_small(const std::vector<Tensor>& tensors, bool dynamic) {
  return std::ranges::all_of(tensors, [&](const Tensor& tensor) {
    int64_t elements = 1;
    for (int64_t size : tensor.shape()) {
      if (size == kDynamic && !dynamic) return false;
      if (size > kMostElements ||
          (elements *= size == kDynamic ? 4 : std::max<int64_t>(size, 1)) > kMostElements)
        return false;
    }
    return true;
  });
}

void run_both_ways(Choices& choices, Session& session, const std::vector<Tensor>& inputs,
                   const std::vector<Tensor>& outputs) {
  const std::vector<Fetch> feeds(inputs.begin(), inputs.end()), fetches(outputs.begin(), outputs.end());
  std::vector<at::Tensor> values;
  const auto size = static_cast<int64_t>(choices.below(5));
  for (const Tensor& input : inputs) {
    Shape shape = input.shape();
    std::ranges::replace(shape, kDynamic, choices.one_in(4) ? static_cast<int64_t>(choices.below(5)) : size);
    values.push_back(random_values(choices, shape, input.dtype()));
  }
  done([&] { session.make_callable(feeds, fetches)(values); });
  done([&] { compile(session, feeds, fetches)(values); });
}

namespace {

/// One call of an operator, as nodes of the default graph.
class RandomCall {
 public:
  explicit RandomCall(Choices& choices) : choices_(choices) {
    const auto& operators = internal::graph_file_operators();
    name_ = operators[choices.below(operators.size())];
    const size_t dot = name_.find('.');
    const auto op = c10::Dispatcher::singleton().findSchemaOrThrow(
        name_.substr(0, dot).c_str(), dot == std::string::npos ? "" : name_.substr(dot + 1).c_str());
    for (const c10::Argument& argument : op.schema().arguments()) {
      const bool has_default = argument.default_value().has_value();
      if (has_default && choices.one_in(3)) continue;
      if (auto value = attribute(argument)) attributes_.emplace_back(argument.name(), *value);
    }
  }

  const std::vector<Tensor>& inputs() const { return inputs_; }
  const Node& add(Graph& graph) const { return graph.add(name_, {}, attributes_, "node"); }
  const std::string& name() const { return name_; }

 private:
  /// Of a dtype and shape of its own, fed or known.
  Tensor tensor() {
    Shape shape = choices_.shape();
    const DType dtype = choices_.dtype();
    if (choices_.one_in(3)) return belfry::constant(random_values(choices_, shape, dtype));
    for (int64_t& size : shape) {
      if (choices_.one_in(4)) size = kDynamic;
      if (choices_.one_in(100)) size = choices_.of<int64_t>({1 << 20, 1 << 30, int64_t{1} << 40});
    }
    inputs_.push_back(placeholder(fmt::format("x{}", inputs_.size()), shape, dtype));
    return inputs_.back();
  }

  std::vector<Tensor> tensors() {
    std::vector<Tensor> list;
    for (size_t i = choices_.below(4); i > 0; --i)
      list.push_back(!list.empty() && choices_.one_in(2) ? list[0] : tensor());
    return list;
  }

  size_t length(const c10::Argument& argument) {
    if (argument.N() && !choices_.one_in(8)) return static_cast<size_t>(*argument.N());
    return choices_.one_in(2) ? choices_.shape().size() : choices_.below(5);
  }

  template <typename T>
  std::vector<T> list(size_t length, T (Choices::*number)()) {
    std::vector<T> numbers;
    for (; length > 0; --length) numbers.push_back((choices_.*number)());
    return numbers;
  }

  std::string word(const std::string& argument) {
    if (argument == "padding") return choices_.of({"SAME", "VALID"});
    if (argument == "data_format") return choices_.of({"NHWC", "NCHW"});
    if (argument == "equation")
      return choices_.of({"ij,jk->ik", "...ij->...ji", "ii->i", "i,j->ij", "ij->", ","});
    return choices_.of({"", "none", "mean", "tanh", "floor", "trunc", "CONSTANT", "REFLECT", "SYMMETRIC",
                        "constant", "reflect", "symmetric", "bilinear", "nearest", "x"});
  }

  std::optional<Attribute> attribute(const c10::Argument& argument) {
    const c10::Type& type = internal::without_optional(*argument.real_type());
    if (internal::is_tensor_list(*argument.type())) return Attribute(tensors());
    if (type.kind() == TypeKind::TensorType) {
      const bool optional = argument.type()->kind() == TypeKind::OptionalType;
      return optional && choices_.one_in(3) ? std::nullopt : std::optional(Attribute(tensor()));
    }
    switch (type.kind()) {
      case TypeKind::ListType: {
        const auto element = type.castRaw<c10::ListType>()->getElementType()->kind();
        if (element == TypeKind::FloatType) return Attribute(list(length(argument), &Choices::real));
        return Attribute(list(length(argument), &Choices::number));
      }
      case TypeKind::IntType:
      case TypeKind::SymIntType:
        return Attribute(choices_.number());
      case TypeKind::FloatType:
        return Attribute(choices_.real());
      case TypeKind::NumberType:
        return choices_.one_in(2) ? Attribute(choices_.number()) : Attribute(choices_.real());
      case TypeKind::BoolType:
        return Attribute(choices_.one_in(2));
      case TypeKind::ScalarTypeType:
        return Attribute(choices_.dtype());
      case TypeKind::StringType:
        return Attribute(word(argument.name()));
      default:
        return std::nullopt;
    }
  }

  Choices& choices_;
  std::string name_;
  std::vector<Tensor> inputs_;
  Attributes attributes_;
};

std::string text_of(const RandomCall& call, const Node& node) {
  std::string text = call.name() + "(";
  for (const Tensor& input : node.inputs()) text += describe(input) + ", ";
  return text + ")";
}

}  // namespace

bool run_operator_graph(std::string_view input) {
  Choices choices(input);
  Graph graph;
  GraphScope as_default(graph);
  const RandomCall call(choices);
  show([&] { return call.name(); });
  const Node* node = nullptr;
  if (!done([&] { node = &call.add(graph); })) return false;
  show([&] { return text_of(call, *node); });
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < node->outputs().size(); ++i) outputs.push_back(node->output(static_cast<int>(i)));
  if (!is_small(call.inputs(), true) || !is_small(outputs, !choices.has_medium_numbers())) return true;
  Session session(graph);
  internal::NamedWeights weights;
  std::string json;
  const bool frozen = done([&] {
    json = internal::write_graph_json(
        freeze_function("fuzz", session, {call.inputs().begin(), call.inputs().end()},
                        {outputs.begin(), outputs.end()}),
        weights);
  });
  if (!frozen) return true;
  show([&] { return json; });
  const Function read = internal::read_graph_json("fuzz", json, weights);
  Session again(*read.graph);
  run_both_ways(choices, again, read.inputs, read.outputs);
  return true;
}

}  // namespace belfry::test
