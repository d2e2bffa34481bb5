#include <fmt/format.h>

#include <protozero/pbf_writer.hpp>

#include "belfry/base/error.h"
#include "belfry/formats/internal/onnx_fields.h"
#include "belfry/formats/onnx.h"

namespace belfry {

using namespace internal;

namespace {

using protozero::pbf_writer;
namespace field = onnx_field;

constexpr size_t kMaxMessage = 0x7fffffff;

int32_t data_type(const std::string& name, DataType dtype) {
  const auto number = field::from_dtype(dtype);
  if (!number)
    throw UsageError(fmt::format("[onnx {}] expected a type that ONNX has, got {}", name, to_string(dtype)));
  return *number;
}

void write_tensor(pbf_writer& out, uint32_t tag, const OnnxTensor& tensor) {
  pbf_writer message(out, tag);
  for (int64_t size : tensor.info.shape) message.add_int64(field::tensor::kDims, size);
  message.add_int32(field::tensor::kDataType, data_type(tensor.info.name, tensor.info.dtype));
  message.add_string(field::tensor::kName, tensor.info.name);
  if (!tensor.external) return message.add_bytes(field::tensor::kRawData, tensor.bytes);
  const auto entry = [&](const char* key, const std::string& value) {
    pbf_writer pair(message, field::tensor::kExternalData);
    pair.add_string(field::tensor::kEntryKey, key);
    pair.add_string(field::tensor::kEntryValue, value);
  };
  entry("location", tensor.external->file);
  entry("offset", std::to_string(tensor.external->offset));
  entry("length", std::to_string(tensor.external->length));
  message.add_int32(field::tensor::kDataLocation, field::tensor::kExternal);
}

void write_graph(pbf_writer& out, const OnnxGraph& graph);

struct WriteAttributeValue {
  pbf_writer& out;

  void type(int32_t value) { out.add_int32(field::attribute::kType, value); }
  void operator()(float value) {
    out.add_float(field::attribute::kFloat, value);
    type(field::attribute::kFloatType);
  }
  void operator()(int64_t value) {
    out.add_int64(field::attribute::kInt, value);
    type(field::attribute::kIntType);
  }
  void operator()(const std::string& value) {
    out.add_bytes(field::attribute::kString, value);
    type(field::attribute::kStringType);
  }
  void operator()(const OnnxTensor& value) {
    write_tensor(out, field::attribute::kTensor, value);
    type(field::attribute::kTensorType);
  }
  void operator()(const std::vector<float>& values) {
    for (float value : values) out.add_float(field::attribute::kFloats, value);
    type(field::attribute::kFloatsType);
  }
  void operator()(const std::vector<int64_t>& values) {
    for (int64_t value : values) out.add_int64(field::attribute::kInts, value);
    type(field::attribute::kIntsType);
  }
  void operator()(const std::shared_ptr<const OnnxGraph>& value) {
    {
      pbf_writer graph(out, field::attribute::kGraph);
      write_graph(graph, *value);
    }
    type(field::attribute::kGraphType);
  }
};

void write_node(pbf_writer& graph, const OnnxNode& node) {
  pbf_writer message(graph, field::graph::kNode);
  for (const std::string& name : node.inputs) message.add_string(field::node::kInput, name);
  for (const std::string& name : node.outputs) message.add_string(field::node::kOutput, name);
  message.add_string(field::node::kName, node.name);
  message.add_string(field::node::kOpType, node.op);
  for (const OnnxAttribute& attribute : node.attributes) {
    pbf_writer entry(message, field::node::kAttribute);
    entry.add_string(field::attribute::kName, attribute.name);
    std::visit(WriteAttributeValue{entry}, attribute.value);
  }
}

void write_value(pbf_writer& graph, uint32_t tag, const OnnxValue& value) {
  pbf_writer message(graph, tag);
  message.add_string(field::value::kName, value.name);
  pbf_writer type(message, field::value::kType);
  pbf_writer tensor(type, field::value::kTypeTensor);
  tensor.add_int32(field::value::kElementType, data_type(value.name, value.dtype));
  std::string shape;  // a nested writer would leave out the empty one of a scalar
  pbf_writer dims(shape);
  for (const OnnxValue::Size& size : value.shape) {
    pbf_writer dim(dims, field::value::kDim);
    if (auto* number = std::get_if<int64_t>(&size)) dim.add_int64(field::value::kDimValue, *number);
    if (auto* name = std::get_if<std::string>(&size)) dim.add_string(field::value::kDimName, *name);
  }
  tensor.add_message(field::value::kShape, shape);
}

void write_graph(pbf_writer& out, const OnnxGraph& graph) {
  for (const OnnxNode& node : graph.nodes) write_node(out, node);
  out.add_string(field::graph::kName, graph.name);
  for (const OnnxTensor& tensor : graph.initializers) write_tensor(out, field::graph::kInitializer, tensor);
  for (const OnnxValue& value : graph.inputs) write_value(out, field::graph::kInput, value);
  for (const OnnxValue& value : graph.outputs) write_value(out, field::graph::kOutput, value);
}

}  // namespace

std::string serialize_onnx(const OnnxModel& model) {
  std::string bytes;
  pbf_writer message(bytes);
  message.add_int64(field::model::kIrVersion, model.ir_version);
  message.add_string(field::model::kProducerName, model.producer);
  {
    pbf_writer graph(message, field::model::kGraph);
    for (const OnnxNode& node : model.nodes) write_node(graph, node);
    graph.add_string(field::graph::kName, model.graph_name);
    size_t total = bytes.size();
    for (const OnnxTensor& tensor : model.initializers) total += tensor.bytes.size();
    if (total > kMaxMessage) {
      throw UsageError(fmt::format("[onnx {}] expected a model of less than 2 GiB, got {} bytes",
                                   model.graph_name, total));
    }
    for (const OnnxTensor& tensor : model.initializers)
      write_tensor(graph, field::graph::kInitializer, tensor);
    for (const OnnxValue& value : model.inputs) write_value(graph, field::graph::kInput, value);
    for (const OnnxValue& value : model.outputs) write_value(graph, field::graph::kOutput, value);
  }
  pbf_writer opset(message, field::model::kOpsetImport);
  opset.add_string(field::opset::kDomain, "");
  opset.add_int64(field::opset::kVersion, model.opset);
  return bytes;
}

}  // namespace belfry
