#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <limits>
#include <map>
#include <tuple>

#include "belfry/base/error.h"
#include "belfry/checkpoint/element_type.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/scope.h"
#include "belfry/interchange/internal/onnx/importer.h"
#include "belfry/interchange/onnx.h"
#include "belfry/ops/array.h"
#include "belfry/ops/state.h"

// A node's builder reads its attributes and inputs through OnnxImport, which notes what was read: what nobody
// read is an error, so that no import ignores what it does not know.

namespace belfry {
namespace internal {

const OnnxAttribute* OnnxImport::find(const std::string& name) const {
  read_attributes_.insert(name);
  for (const OnnxAttribute& attribute : node_.attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

namespace {

template <typename T>
const T* as(const OnnxAttribute* attribute) {
  if (!attribute) return nullptr;
  if (auto* value = std::get_if<T>(&attribute->value)) return value;
  throw ImportFailure{fmt::format("its attribute {} is of another type", attribute->name)};
}

/// A name as a graph takes it: ONNX allows any characters, "onnx::Conv_5" for instance.
std::string graph_name(const std::string& name) {
  std::string valid = name;
  for (char& c : valid) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && !std::strchr("_./-", c)) c = '_';
  }
  while (!valid.empty() && !std::isalnum(static_cast<unsigned char>(valid[0]))) valid.erase(0, 1);
  while (!valid.empty() && valid.back() == '/') valid.pop_back();
  return valid.empty() ? "unnamed" : valid;
}

constexpr uint64_t kMaxFile = 0x7fffffff;

const OnnxBuilds& builds() {
  static const OnnxBuilds all = [] {
    OnnxBuilds table;
    add_math_builds(table);
    add_array_builds(table);
    add_nn_builds(table);
    add_recurrent_builds(table);
    return table;
  }();
  return all;
}

class Importer {
 public:
  Importer(const std::string& path, const OnnxModel& model, FileSystem& files)
      : path_(path), model_(model), external_(path, files) {}

  Function import() {
    if (model_.opset < 13 || model_.opset > 17)
      throw DataError(path_, fmt::format("expected an ONNX model of opset 13 to 17, got {}", model_.opset));
    for (const OnnxTensor& tensor : model_.initializers)
      guarded("initializer", tensor.info.name,
              [&] { define(tensor.info.name, constant(to_tensor(tensor), graph_name(tensor.info.name))); });
    for (const OnnxValue& input : model_.inputs) guarded("input", input.name, [&] { add_input(input); });
    for (const OnnxNode& node : model_.nodes) guarded(node.op, node.name, [&] { add_node(node); });
    for (const OnnxValue& output : model_.outputs) {
      guarded("output", output.name, [&] { graph_.outputs.push_back(tensor(output.name)); });
      graph_.output_names.push_back(output.name);
    }
    return std::move(graph_);
  }

 private:
  template <typename F>
  void guarded(const std::string& what, const std::string& name, F f) {
    try {
      f();
    } catch (const ImportFailure& failure) {
      throw DataError(path_, fmt::format("[{} {}] {}", what, name, failure.reason));
    } catch (const DataError&) {
      throw;
    } catch (const InternalError&) {
      throw;
    } catch (const c10::Error& e) {
      throw DataError(path_, fmt::format("[{} {}] {}", what, name, e.what_without_backtrace()));
    } catch (const std::exception& e) {  // a number that does not fit, an attribute that is not there
      throw DataError(path_, fmt::format("[{} {}] {}", what, name, e.what()));
    }
  }

  at::Tensor to_tensor(const OnnxTensor& stored) {
    const DType dtype = to_dtype(stored.info.dtype);
    if (dtype == DType::Undefined)
      throw ImportFailure{fmt::format("the tensor {} has a type that Belfry has not", stored.info.name)};
    if (!stored.external) return filled(stored, dtype, nullptr);
    // Weights that a model has twice may lie in the file once.
    const auto& [name, offset, length] = *stored.external;
    at::Tensor& value = shared_[{name, offset, stored.info.dtype, stored.info.shape}];
    if (!value.defined()) value = filled(stored, dtype, &external_.of(stored));
    return value;
  }

  static at::Tensor filled(const OnnxTensor& stored, DType dtype, const ReadableFile* file) {
    at::Tensor value = at::empty(stored.info.shape, dtype);
    if (file) {
      file->read(stored.external->offset,
                 {static_cast<std::byte*>(value.mutable_data_ptr()), value.nbytes()});
    } else if (!stored.bytes.empty()) {
      std::memcpy(value.mutable_data_ptr(), stored.bytes.data(), stored.bytes.size());
    }
    return value;
  }

  /// A number or a list of them has an attribute of its own, beside that for tensors.
  at::Tensor constant_of(const OnnxAttribute& attribute) {
    if (attribute.name == "value") {
      if (auto* value = std::get_if<OnnxTensor>(&attribute.value)) return to_tensor(*value);
    }
    if (attribute.name == "value_int") {
      if (auto* value = std::get_if<int64_t>(&attribute.value)) return at::scalar_tensor(*value, kInt64);
    }
    if (attribute.name == "value_ints") {
      if (auto* value = std::get_if<std::vector<int64_t>>(&attribute.value))
        return at::tensor(*value, kInt64);
    }
    if (attribute.name == "value_float") {
      if (auto* value = std::get_if<float>(&attribute.value)) return at::scalar_tensor(*value, kFloat32);
    }
    if (attribute.name == "value_floats") {
      if (auto* value = std::get_if<std::vector<float>>(&attribute.value))
        return at::tensor(*value, kFloat32);
    }
    throw ImportFailure{
        fmt::format("expected a tensor or numbers as its value, got the attribute {}", attribute.name)};
  }

  void define(const std::string& name, const Tensor& tensor) {
    if (!tensors_.emplace(name, tensor).second) throw ImportFailure{fmt::format("'{}' is there twice", name)};
  }
  Tensor tensor(const std::string& name) const {
    auto found = tensors_.find(name);
    if (found == tensors_.end()) throw ImportFailure{fmt::format("'{}' is used before it is there", name)};
    return found->second;
  }

  void add_input(const OnnxValue& input) {
    Shape shape;
    for (const OnnxValue::Size& size : input.shape) {
      auto* number = std::get_if<int64_t>(&size);
      if (number && *number < 0) throw ImportFailure{fmt::format("expected a size, got {}", *number)};
      shape.push_back(number ? *number : kDynamic);
    }
    const DType dtype = to_dtype(input.dtype);
    if (dtype == DType::Undefined) throw ImportFailure{"has a type that Belfry has not"};
    define(input.name, placeholder(graph_name(input.name), shape, dtype));
    graph_.inputs.push_back(tensor(input.name));
    graph_.input_names.push_back(input.name);
  }

  void add_node(const OnnxNode& node) {
    std::vector<Tensor> inputs;
    for (const std::string& name : node.inputs) inputs.push_back(name.empty() ? Tensor() : tensor(name));
    if (node.op == "Constant") {
      if (node.attributes.size() != 1 || !node.inputs.empty())
        throw ImportFailure{fmt::format("expected one attribute as its value, got {} and {} inputs",
                                        node.attributes.size(), node.inputs.size())};
      return define(node.outputs.at(0), constant(constant_of(node.attributes[0]), graph_name(node.name)));
    }
    auto found = builds().find(node.op);
    if (found == builds().end()) throw ImportFailure{"is of an operator that Belfry cannot import"};
    NameScope scope(graph_name(node.name.empty() ? node.op : node.name));
    const OnnxImport call(node, std::move(inputs));
    const std::vector<Tensor> results = found->second(call);
    call.check_all_read();
    if (results.size() < node.outputs.size())
      throw ImportFailure{"wants results that Belfry does not compute"};
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!node.outputs[i].empty()) define(node.outputs[i], results[i]);
    }
  }

  const std::string& path_;
  const OnnxModel& model_;
  OnnxExternalFiles external_;
  std::map<std::tuple<std::string, uint64_t, DataType, std::vector<int64_t>>, at::Tensor> shared_;
  std::unordered_map<std::string, Tensor> tensors_;
  Function graph_;
};

}  // namespace

const Tensor& OnnxImport::input(size_t index) const {
  if (!has(index))
    throw ImportFailure{fmt::format("expected an input {}, got {} inputs", index, inputs_.size())};
  read_inputs_.insert(index);
  return inputs_[index];
}

const std::vector<Tensor>& OnnxImport::inputs() const {
  for (size_t i = 0; i < inputs_.size(); ++i) read_inputs_.insert(i);
  return inputs_;
}

void OnnxImport::check_all_read() const {
  std::set<std::string> names;
  for (const OnnxAttribute& attribute : node_.attributes) {
    if (!read_attributes_.contains(attribute.name))
      throw ImportFailure{fmt::format("has the attribute {}, which Belfry does not know", attribute.name)};
    if (!names.insert(attribute.name).second)
      throw ImportFailure{fmt::format("has the attribute {} twice", attribute.name)};
  }
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (has(i) && !read_inputs_.contains(i))
      throw ImportFailure{
          fmt::format("has an input {}, '{}', which Belfry does not know", i, node_.inputs[i])};
  }
}

int64_t OnnxImport::integer(const std::string& name, int64_t otherwise) const {
  auto* value = as<int64_t>(find(name));
  return value ? *value : otherwise;
}
double OnnxImport::number(const std::string& name, double otherwise) const {
  auto* value = as<float>(find(name));
  return value ? *value : otherwise;
}
std::string OnnxImport::text(const std::string& name, const std::string& otherwise) const {
  auto* value = as<std::string>(find(name));
  return value ? *value : otherwise;
}
std::vector<int64_t> OnnxImport::integers(const std::string& name,
                                          const std::vector<int64_t>& otherwise) const {
  auto* value = as<std::vector<int64_t>>(find(name));
  return value ? *value : otherwise;
}

at::Tensor OnnxImport::constant(size_t index) const {
  const auto value = value_of(input(index));
  if (!value) throw ImportFailure{fmt::format("expected a constant as input {}", index)};
  return *value;
}
std::vector<int64_t> OnnxImport::constant_integers(size_t index) const {
  const at::Tensor value = constant(index).to(at::kLong).contiguous();
  return {value.const_data_ptr<int64_t>(), value.const_data_ptr<int64_t>() + value.numel()};
}
std::vector<int64_t> OnnxImport::axes(size_t index) const {
  return has(index) ? constant_integers(index) : integers("axes", {});
}

std::vector<std::string> onnx_operators() {
  std::vector<std::string> names;
  for (const auto& [name, build] : builds()) names.push_back(name);
  std::ranges::sort(names);
  return names;
}

void check_lengths(const std::string& what, const std::vector<int64_t>& lengths, int64_t least) {
  for (int64_t length : lengths) {
    if (length < least || length > std::numeric_limits<int32_t>::max())
      throw ImportFailure{fmt::format("expected {} from {} on, got {}", what, least, length)};
  }
}

std::optional<at::Tensor> value_of(const Tensor& tensor) {
  if (tensor.node().kind() != NodeKind::kConstant) return std::nullopt;
  return tensor.node().attribute("value").toTensor();
}

// LibTorch's.
constexpr int64_t kMostDimensions = 64;

std::optional<Shape> known_sizes(const Tensor& sizes, int depth) {
  // Lists of lists of lists: a kilobyte of a file could ask for gigabytes, or for the end of the stack.
  constexpr int kMostNested = 64;
  if (depth > kMostNested) return std::nullopt;
  if (auto value = value_of(sizes)) {
    if (value->numel() > kMostDimensions) return std::nullopt;
    const at::Tensor list = value->to(at::kLong).contiguous();
    return Shape(list.const_data_ptr<int64_t>(), list.const_data_ptr<int64_t>() + list.numel());
  }
  const Node& node = sizes.node();
  if (node.op_name() == "belfry::shape") return node.inputs()[0].shape();
  if (node.op_name() == "belfry::slice") {
    const auto whole = known_sizes(node.inputs()[0], depth + 1);
    const int64_t begin = node.attribute("begin").toIntVector()[0],
                  size = node.attribute("size").toIntVector()[0];
    const bool inside =
        whole && begin >= 0 && size >= 0 && begin <= std::ssize(*whole) && size <= std::ssize(*whole) - begin;
    if (inside) return Shape(whole->begin() + begin, whole->begin() + begin + size);
  }
  if (node.op_name() == "aten::cat") {
    Shape all;
    for (const Tensor& input : node.inputs()) {
      const auto part = known_sizes(input, depth + 1);
      if (!part || part->size() + all.size() > kMostDimensions) return std::nullopt;
      all.insert(all.end(), part->begin(), part->end());
    }
    return all;
  }
  if (sizes.rank() == 1 && sizes.dim(0) != kDynamic && sizes.dim(0) <= kMostDimensions)
    return Shape(static_cast<size_t>(sizes.dim(0)), kDynamic);
  return std::nullopt;
}

}  // namespace internal

Function import_onnx(const std::string& path, FileSystem& files) {
  const std::string bytes = read_file(files, path, internal::kMaxFile);
  const OnnxModel model = parse_onnx(path, as_byte_span(bytes));
  return internal::Importer(path, model, files).import();
}

}  // namespace belfry
