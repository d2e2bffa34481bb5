#include "belfry/formats/graph_def.h"

#include <fmt/format.h>

#include <protozero/pbf_writer.hpp>

#include "belfry/base/error.h"

// Writes GraphDef and SavedModel messages (tensorflow/core/framework, tensorflow/core/protobuf), by the
// numbers of their fields. Equal graphs become equal bytes: maps are written in the order of their keys.
// Protobuf has no message of 2 GiB or more, so none is written.
namespace belfry {
namespace {

using protozero::pbf_writer;

// Field numbers of the messages in tensorflow/core/framework and tensorflow/core/protobuf.
namespace graph {
constexpr int kNode = 1, kVersions = 4;
constexpr int kProducer = 1;
constexpr int kProducerOf215 = 1645;
}  // namespace graph
namespace node {
constexpr int kName = 1, kOp = 2, kInput = 3, kAttribute = 5;
}
namespace map {
constexpr int kKey = 1, kValue = 2;
}
namespace value {
constexpr int kList = 1, kString = 2, kInt = 3, kFloat = 4, kBool = 5, kType = 6, kShape = 7, kTensor = 8;
constexpr int kListInt = 3, kListType = 6;
}  // namespace value
namespace tensor {
constexpr int kType = 1, kShape = 2, kContent = 4, kString = 8;
}
namespace shape {
constexpr int kDim = 2, kSize = 1;
}
namespace saved_model {
constexpr int kSchemaVersion = 1, kMetaGraph = 2;
}
namespace meta_graph {
constexpr int kInfo = 1, kGraph = 2, kSaver = 3, kSignature = 5, kInfoTag = 4;
}
namespace saver {
constexpr int kPath = 1, kSave = 2, kRestore = 3, kVersion = 7, kVersion2 = 2;
}
namespace signature {
constexpr int kInputs = 1, kOutputs = 2, kMethod = 3, kTensorName = 1, kTensorType = 2, kTensorShape = 3;
}

constexpr size_t kMaxMessage = 0x7fffffff;

/// A message on its own: a nested writer would leave out an empty one.
std::string shape_bytes(const std::vector<int64_t>& sizes) {
  std::string bytes;
  pbf_writer message(bytes);
  for (int64_t size : sizes) {
    pbf_writer dim(message, shape::kDim);
    dim.add_int64(shape::kSize, size);
  }
  return bytes;
}

void write_tensor(pbf_writer& out, const GraphDefTensor& given) {
  pbf_writer message(out, value::kTensor);
  message.add_enum(tensor::kType, static_cast<int>(given.dtype));
  message.add_message(tensor::kShape, shape_bytes(given.shape));
  if (!given.bytes.empty()) message.add_bytes(tensor::kContent, given.bytes);
  for (const std::string& text : given.strings) message.add_bytes(tensor::kString, text);
}

struct WriteValue {
  pbf_writer& out;

  void operator()(bool given) { out.add_bool(value::kBool, given); }
  void operator()(int64_t given) { out.add_int64(value::kInt, given); }
  void operator()(float given) { out.add_float(value::kFloat, given); }
  void operator()(const std::string& given) { out.add_bytes(value::kString, given); }
  void operator()(DataType given) { out.add_enum(value::kType, static_cast<int>(given)); }
  void operator()(const GraphDefShape& given) { out.add_message(value::kShape, shape_bytes(given.sizes)); }
  void operator()(const GraphDefTensor& given) { write_tensor(out, given); }
  void operator()(const std::vector<int64_t>& given) {
    std::string list;
    pbf_writer(list).add_packed_int64(value::kListInt, given.begin(), given.end());
    out.add_message(value::kList, list);
  }
  void operator()(const std::vector<DataType>& given) {
    std::vector<int32_t> numbers;
    for (DataType dtype : given) numbers.push_back(static_cast<int32_t>(dtype));
    std::string list;
    pbf_writer(list).add_packed_enum(value::kListType, numbers.begin(), numbers.end());
    out.add_message(value::kList, list);
  }
};

void write_graph(pbf_writer& out, const GraphDef& nodes) {
  for (const GraphDefNode& given : nodes) {
    pbf_writer message(out, graph::kNode);
    message.add_string(node::kName, given.name);
    message.add_string(node::kOp, given.op);
    for (const std::string& input : given.inputs) message.add_string(node::kInput, input);
    for (const auto& [name, attribute] : given.attributes) {
      pbf_writer entry(message, node::kAttribute);
      entry.add_string(map::kKey, name);
      pbf_writer contents(entry, map::kValue);
      std::visit(WriteValue{contents}, attribute);
    }
  }
  pbf_writer versions(out, graph::kVersions);
  versions.add_int32(graph::kProducer, graph::kProducerOf215);
}

void write_signature(pbf_writer& out, int field, const std::map<std::string, SignatureTensor>& tensors) {
  for (const auto& [key, given] : tensors) {
    pbf_writer entry(out, field);
    entry.add_string(map::kKey, key);
    pbf_writer info(entry, map::kValue);
    info.add_string(signature::kTensorName, given.tensor);
    info.add_enum(signature::kTensorType, static_cast<int>(given.dtype));
    info.add_message(signature::kTensorShape, shape_bytes(given.shape));
  }
}

void check_size(const GraphDef& nodes) {
  size_t total = 0;
  for (const GraphDefNode& given : nodes) {
    for (const auto& [name, attribute] : given.attributes) {
      if (auto* constant = std::get_if<GraphDefTensor>(&attribute)) total += constant->bytes.size();
    }
  }
  if (total > kMaxMessage)
    throw UsageError(fmt::format("[GraphDef] expected constants of less than 2 GiB, got {} bytes", total));
}

}  // namespace

std::string serialize_graph_def(const GraphDef& graph) {
  check_size(graph);
  std::string bytes;
  pbf_writer message(bytes);
  write_graph(message, graph);
  return bytes;
}

std::string serialize_saved_model(const SavedModelDef& model) {
  check_size(model.graph);
  std::string bytes;
  pbf_writer message(bytes);
  message.add_int64(saved_model::kSchemaVersion, 1);
  pbf_writer meta(message, saved_model::kMetaGraph);
  {
    pbf_writer info(meta, meta_graph::kInfo);
    info.add_string(meta_graph::kInfoTag, model.tag);
  }
  {
    pbf_writer graph(meta, meta_graph::kGraph);
    write_graph(graph, model.graph);
  }
  if (!model.restore_node.empty()) {
    pbf_writer out(meta, meta_graph::kSaver);
    out.add_string(saver::kPath, model.checkpoint_path_node + ":0");
    out.add_string(saver::kSave, model.checkpoint_path_node + ":0");  // nothing saves: any tensor will do
    out.add_string(saver::kRestore, model.restore_node);
    out.add_enum(saver::kVersion, saver::kVersion2);
  }
  pbf_writer entry(meta, meta_graph::kSignature);
  entry.add_string(map::kKey, model.signature_name);
  pbf_writer contents(entry, map::kValue);
  write_signature(contents, signature::kInputs, model.inputs);
  write_signature(contents, signature::kOutputs, model.outputs);
  contents.add_string(signature::kMethod, "tensorflow/serving/predict");
  return bytes;
}

}  // namespace belfry
