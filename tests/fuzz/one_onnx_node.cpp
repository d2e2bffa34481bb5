#include <algorithm>
#include <cstring>
#include <map>

#include <fmt/format.h>

#include "belfry/base/error.h"
#include "belfry/formats/onnx.h"
#include "belfry/graph/graph.h"
#include "belfry/interchange/internal/onnx/importer.h"
#include "belfry/interchange/onnx.h"
#include "tests/fuzz/choices.h"
#include "tests/fuzz/one_operator.h"
#include "tests/support/fault_file_system.h"

namespace belfry::test {
namespace {

/// What is read of a node. The attributes are NAME=KIND, where KIND is i(nteger), f(loat), a list I, or the
/// words to choose from.
struct Reads {
  size_t least_inputs = 1, most_inputs = 1, most_outputs = 1;
  std::vector<std::string> attributes = {};
};

Reads reads_of(const std::string& op) {
  const std::string pad = "auto_pad=NOTSET,VALID,SAME_UPPER,SAME_LOWER";
  const Reads reduction{1, 2, 1, {"keepdims=i", "axes=I"}}, two{2, 2};
  static const std::map<std::string, Reads> table = {
      {"IsInf", {1, 1, 1, {"detect_negative=i", "detect_positive=i"}}},
      {"Elu", {1, 1, 1, {"alpha=f"}}},
      {"Selu", {1, 1, 1, {"alpha=f", "gamma=f"}}},
      {"LeakyRelu", {1, 1, 1, {"alpha=f"}}},
      {"Softmax", {1, 1, 1, {"axis=i"}}},
      {"LogSoftmax", {1, 1, 1, {"axis=i"}}},
      {"PRelu", two},
      {"Add", two},
      {"Sub", two},
      {"Mul", two},
      {"Div", two},
      {"Pow", two},
      {"Max", {1, 3}},
      {"Min", {1, 3}},
      {"Sum", {1, 3}},
      {"Mean", {1, 3}},
      {"Equal", two},
      {"Less", two},
      {"Greater", two},
      {"LessOrEqual", two},
      {"GreaterOrEqual", two},
      {"And", two},
      {"Or", two},
      {"Xor", two},
      {"Mod", {2, 2, 1, {"fmod=i"}}},
      {"Where", {3, 3}},
      {"Clip", {1, 3}},
      {"ReduceSum", {1, 2, 1, {"keepdims=i", "noop_with_empty_axes=i"}}},
      {"ArgMax", {1, 1, 1, {"axis=i", "keepdims=i", "select_last_index=i"}}},
      {"ArgMin", {1, 1, 1, {"axis=i", "keepdims=i", "select_last_index=i"}}},
      {"CumSum", {2, 2, 1, {"exclusive=i", "reverse=i"}}},
      {"Cast", {1, 1, 1, {"to=i"}}},
      {"Shape", {1, 1, 1, {"start=i", "end=i"}}},
      {"Reshape", {2, 2, 1, {"allowzero=i"}}},
      {"Flatten", {1, 1, 1, {"axis=i"}}},
      {"Unsqueeze", two},
      {"Squeeze", {1, 2}},
      {"Transpose", {1, 1, 1, {"perm=I"}}},
      {"Expand", two},
      {"Tile", two},
      {"Range", {3, 3}},
      {"ConstantOfShape", {1, 1, 1, {"value=t"}}},
      {"OneHot", {3, 3, 1, {"axis=i"}}},
      {"EyeLike", {1, 1, 1, {"k=i", "dtype=i"}}},
      {"Gather", {2, 2, 1, {"axis=i"}}},
      {"GatherElements", {2, 2, 1, {"axis=i"}}},
      {"GatherND", {2, 2, 1, {"batch_dims=i"}}},
      {"ScatterND", {3, 3, 1, {"reduction=add,none"}}},
      {"Compress", {2, 2, 1, {"axis=i"}}},
      {"TopK", {2, 2, 2, {"axis=i", "largest=i", "sorted=i"}}},
      {"Concat", {1, 3, 1, {"axis=i"}}},
      {"Split", {1, 2, 3, {"axis=i"}}},
      {"Slice", {3, 5}},
      {"Pad", {2, 4, 1, {"mode=constant,reflect,edge"}}},
      {"Conv", {2, 3, 1, {pad, "pads=I", "strides=I", "dilations=I", "kernel_shape=I", "group=i"}}},
      {"ConvTranspose",
       {2,
        3,
        1,
        {pad, "pads=I", "strides=I", "dilations=I", "kernel_shape=I", "group=i", "output_padding=I"}}},
      {"MaxPool", {1, 1, 1, {pad, "pads=I", "strides=I", "dilations=I", "kernel_shape=I!", "ceil_mode=i"}}},
      {"AveragePool",
       {1, 1, 1, {pad, "pads=I", "strides=I", "kernel_shape=I!", "ceil_mode=i", "count_include_pad=i"}}},
      {"SpaceToDepth", {1, 1, 1, {"blocksize=i!"}}},
      {"DepthToSpace", {1, 1, 1, {"blocksize=i!", "mode=DCR,CRD"}}},
      {"LRN", {1, 1, 1, {"size=i!", "bias=f", "alpha=f", "beta=f"}}},
      {"Resize",
       {3,
        4,
        1,
        {"mode=nearest,linear,cubic", "coordinate_transformation_mode=asymmetric,align_corners,half_pixel",
         "nearest_mode=floor,round_prefer_floor,ceil", "exclude_outside=i"}}},
      {"MatMul", two},
      {"Gemm", {2, 3, 1, {"transA=i", "transB=i", "alpha=f", "beta=f"}}},
      {"Einsum", {1, 3, 1, {"equation=ij,;ij->ji;ij|jk->ik;i|i->;...i->...!"}}},
      {"BatchNormalization", {5, 5, 1, {"epsilon=f", "momentum=f", "training_mode=i"}}},
      {"LayerNormalization", {2, 3, 1, {"axis=i", "epsilon=f"}}},
      {"InstanceNormalization", {3, 3, 1, {"epsilon=f"}}},
  };
  if (auto found = table.find(op); found != table.end()) return found->second;
  return op.starts_with("Reduce") ? reduction : Reads{};
}

class RandomModel {
 public:
  explicit RandomModel(Choices& choices) : choices_(choices) {
    static const std::vector<std::string> operators = internal::onnx_operators();
    OnnxNode node;
    node.op = choices.of(operators);
    const Reads reads = reads_of(node.op);
    const size_t inputs = reads.least_inputs + choices.below(reads.most_inputs - reads.least_inputs + 1);
    rank_ = choices.shape().size();
    for (size_t i = 0; i < inputs; ++i) node.inputs.push_back(input(i));
    for (size_t i = 1 + choices.below(reads.most_outputs); i > 0; --i)
      node.outputs.push_back(fmt::format("y{}", i));
    for (const std::string& attribute : reads.attributes) add_attribute(node, attribute);
    for (const std::string& output : node.outputs) model_.outputs.push_back({output, DataType::kFloat32, {}});
    model_.opset = 13 + static_cast<int64_t>(choices.below(5));
    model_.nodes.push_back(std::move(node));
  }

  const OnnxModel& model() const { return model_; }

 private:
  static DataType stored(DType dtype) {
    static const std::map<DType, DataType> types = {
        {kFloat32, DataType::kFloat32}, {kFloat64, DataType::kFloat64}, {kFloat16, DataType::kFloat16},
        {kInt64, DataType::kInt64},     {kInt32, DataType::kInt32},     {kInt16, DataType::kInt16},
        {kInt8, DataType::kInt8},       {kUInt8, DataType::kUInt8},     {kBool, DataType::kBool}};
    auto found = types.find(dtype);
    return found == types.end() ? DataType::kFloat32 : found->second;
  }

  std::string input(size_t index) {
    const std::string name = fmt::format("x{}", index);
    if (index > 0 && choices_.one_in(8)) return "";
    if (index > 0 && choices_.one_in(2)) {
      add_numbers(name);
    } else if (choices_.one_in(4)) {
      add_initializer(name, random_values(choices_, choices_.shape(), type()));
    } else {
      OnnxValue value{name, stored(choices_.dtype()), {}};
      for (int64_t size : choices_.shape()) {
        if (choices_.one_in(4)) {
          value.shape.emplace_back("n");
        } else {
          value.shape.emplace_back(
              choices_.one_in(60) ? choices_.of<int64_t>({1 << 20, 1 << 29, int64_t{1} << 40}) : size);
        }
      }
      model_.inputs.push_back(std::move(value));
    }
    return name;
  }

  DType type() {
    DType dtype = choices_.dtype();
    return dtype == kBFloat16 || c10::isComplexType(dtype) ? kFloat32 : dtype;
  }

  /// Axes, sizes, pads: of the rank of the inputs, as a rule.
  void add_numbers(const std::string& name) {
    at::Tensor values = random_values(choices_, {static_cast<int64_t>(length())}, kInt64);
    if (choices_.one_in(6)) values = values.reshape({-1, 1});
    if (choices_.one_in(3) && values.numel() > 0) {
      for (int64_t i = 0; i < values.numel(); ++i) values.mutable_data_ptr<int64_t>()[i] = choices_.number();
    }
    if (values.numel() == 1 && choices_.one_in(3)) values = values.reshape({});
    add_initializer(name, choices_.one_in(4) ? values.to(kFloat32) : values);
  }

  void add_initializer(const std::string& name, const at::Tensor& value) {
    const at::Tensor whole = value.contiguous();
    model_.initializers.push_back({{name, stored(whole.scalar_type()), whole.sizes().vec()},
                                   {static_cast<const char*>(whole.const_data_ptr()), whole.nbytes()}});
  }

  size_t length() {
    const size_t images = rank_ > 2 ? rank_ - 2 : 1;
    return choices_.of<size_t>(
        {1, 1, 2, 2, 4, rank_, rank_, 2 * rank_, images, images, 2 * images, choices_.below(7)});
  }

  void add_attribute(OnnxNode& node, std::string text) {
    const bool needed = text.back() == '!';
    if (needed) text.pop_back();
    if (choices_.one_in(needed ? 20 : 2)) return;
    const std::string name = text.substr(0, text.find('=')), kind = text.substr(name.size() + 1);
    OnnxAttribute attribute{name, choices_.number()};
    if (kind == "f") attribute.value = static_cast<float>(choices_.real());
    if (kind == "I") {
      std::vector<int64_t> numbers(length());
      for (int64_t& number : numbers) number = choices_.number();
      attribute.value = numbers;
    }
    if (kind == "t") {
      const at::Tensor value = random_values(choices_, {1}, type());
      attribute.value = OnnxTensor{{"", stored(value.scalar_type()), {1}},
                                   {static_cast<const char*>(value.const_data_ptr()), value.nbytes()}};
    }
    if (kind.size() > 1) attribute.value = word(kind);
    node.attributes.push_back(std::move(attribute));
  }

  /// One of those between commas; where words have commas themselves, these are |, and ; is between words.
  std::string word(const std::string& words) {
    const char between = words.find(';') == std::string::npos ? ',' : ';';
    std::vector<std::string> list(1);
    for (char c : words) {
      if (c == between) {
        list.emplace_back();
      } else {
        list.back() += c == '|' ? ',' : c;
      }
    }
    return choices_.of(list);
  }

  Choices& choices_;
  OnnxModel model_;
  size_t rank_ = 0;
};

}  // namespace

bool run_onnx_operator(std::string_view input) {
  Choices choices(input);
  const RandomModel random(choices);
  const OnnxNode& node = random.model().nodes[0];
  show([&] { return node.op; });
  FaultFileSystem files;
  files.put("x", serialize_onnx(random.model()));
  Graph graph;
  GraphScope as_default(graph);
  Function imported;
  try {
    imported = import_onnx("x", files);
  } catch (const DataError& e) {
    show([&] { return std::string(e.what()); });
    return false;
  } catch (const ResourceError&) {
    return false;
  }
  for (const Tensor& tensor : imported.inputs) show([&] { return describe(tensor); });
  for (const Tensor& tensor : imported.outputs) show([&] { return "-> " + describe(tensor); });
  if (!is_small(imported.inputs, true) || !is_small(imported.outputs, !choices.has_medium_numbers()))
    return true;
  Session session(graph);
  run_both_ways(choices, session, imported.inputs, imported.outputs);
  return true;
}

}  // namespace belfry::test
