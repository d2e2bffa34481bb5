#include "tests/fuzz/targets.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <protozero/varint.hpp>
#include <random>

#include "belfry/base/error.h"
#include "belfry/dataflow/serialize.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/checkpoint_state.h"
#include "belfry/formats/crc32c.h"
#include "belfry/formats/npz.h"
#include "belfry/formats/onnx.h"
#include "belfry/formats/safetensors.h"
#include "belfry/formats/tf_example.h"
#include "belfry/formats/tfrecord.h"
#include "belfry/graph/graph.h"
#include "belfry/interchange/graph_file.h"
#include "belfry/interchange/onnx.h"
#include "belfry/predict/graph_predictor.h"
#include "tests/fuzz/one_operator.h"
#include "tests/support/fault_file_system.h"

namespace belfry::test {
namespace {

template <typename Call>
void expect_only_data_errors(Call call) {
  try {
    call();
  } catch (const DataError&) {
  }
}

template <typename Reader>
void read_numeric(const Reader& reader, const ArrayInfo& info) {
  auto size = byte_size(info.dtype, info.shape);
  if (!size) return;
  at::empty(info.shape,
            at::TensorOptions(at::kMeta));  // any shape that readers let through must suit LibTorch
  std::string bytes(*size, '\0');
  reader.read(info.name, std::as_writable_bytes(std::span(bytes)));
}

void read_bundle(std::string index, std::string_view data) {
  FaultFileSystem files;
  files.put("m.index", std::move(index));
  files.put("m.data-00000-of-00001", std::string(data));
  BundleReader reader("m", files);
  for (const ArrayInfo& info : reader.entries()) {
    expect_only_data_errors([&] { read_numeric(reader, reader.entry(info.name)); });
    expect_only_data_errors([&] { reader.read_strings(info.name); });
  }
}

void run_bundle(std::string_view input) {
  uint32_t index_size = 0;
  if (input.size() < sizeof index_size) return;
  std::memcpy(&index_size, input.data(), sizeof index_size);
  input.remove_prefix(sizeof index_size);
  std::string index(input.substr(0, index_size));
  std::string_view data = input.substr(index.size());
  expect_only_data_errors([&] { read_bundle(index, data); });
  repair_index_checksums(index);
  expect_only_data_errors([&] { read_bundle(index, data); });
}

void run_checkpoint_state(std::string_view input) {
  expect_only_data_errors([&] { parse_checkpoint_state("checkpoint", input); });
}

void run_tfrecord(std::string_view input) {
  FaultFileSystem files;
  files.put("x", std::string(input));
  expect_only_data_errors([&] {
    RecordReader reader("x", files);
    for (std::string record; reader.next(record);) continue;
  });
}

void run_npz(std::string_view input) {
  expect_only_data_errors([&] {
    NpzReader reader("x", as_byte_span(input));
    for (const ArrayInfo& info : reader.entries())
      expect_only_data_errors([&] { read_numeric(reader, info); });
  });
}

void run_safetensors(std::string_view input) {
  FaultFileSystem files;
  files.put("x", std::string(input));
  expect_only_data_errors([&] {
    SafetensorsReader reader("x", files);
    for (const ArrayInfo& info : reader.entries()) read_numeric(reader, info);
  });
}

void run_onnx(std::string_view input) {
  expect_only_data_errors([&] { parse_onnx("x", as_byte_span(input)); });
}

void import_model(const std::string& model) {
  FaultFileSystem files;
  files.put("x", model);
  files.put("./data", std::string(64, '\1'));  // for weights kept outside of the model
  Graph graph;
  GraphScope as_default(graph);
  expect_only_data_errors([&] { import_onnx("x", files); });
}

/// Changes a number, a name or an operator of a model, which stays one that can be read.
void change(OnnxModel& model, std::mt19937& random) {
  constexpr int64_t kNumbers[] = {0,
                                  1,
                                  -1,
                                  2,
                                  -2,
                                  3,
                                  7,
                                  1 << 16,
                                  int64_t{1} << 31,
                                  int64_t{1} << 62,
                                  std::numeric_limits<int64_t>::max(),
                                  std::numeric_limits<int64_t>::min()};
  const auto below = [&](size_t count) { return random() % std::max<size_t>(count, 1); };
  const auto number = [&] { return kNumbers[below(std::size(kNumbers))]; };
  if (model.nodes.empty()) return;
  OnnxNode &node = model.nodes[below(model.nodes.size())], &other = model.nodes[below(model.nodes.size())];
  switch (below(6)) {
    case 0:
      node.op = other.op;
      break;
    case 1:
      if (!node.inputs.empty() && !other.inputs.empty())
        node.inputs[below(node.inputs.size())] = other.inputs[below(other.inputs.size())];
      break;
    case 2:
      if (!node.attributes.empty()) {
        OnnxAttribute& attribute = node.attributes[below(node.attributes.size())];
        if (auto* value = std::get_if<int64_t>(&attribute.value)) *value = number();
        auto* values = std::get_if<std::vector<int64_t>>(&attribute.value);
        if (values && !values->empty()) (*values)[below(values->size())] = number();
      }
      break;
    case 3:
    case 4:
      if (!model.initializers.empty()) {
        OnnxTensor& tensor = model.initializers[below(model.initializers.size())];
        const int64_t value = number();
        const size_t count = tensor.bytes.size() / sizeof value;
        if (count > 0) std::memcpy(tensor.bytes.data() + below(count) * sizeof value, &value, sizeof value);
      }
      break;
    default:
      if (!model.inputs.empty() && !model.inputs[0].shape.empty())
        model.inputs[0].shape[below(model.inputs[0].shape.size())] = number();
  }
}

/// The input is a model; what it is decides on changes that bytes rarely come to by chance.
void run_onnx_import(std::string_view input) {
  import_model(std::string(input));
  try {
    OnnxModel model = parse_onnx("x", as_byte_span(input));
    std::mt19937 random(crc32c(as_byte_span(input)));
    for (int i = 0; i < 2; ++i) {
      change(model, random);
      import_model(serialize_onnx(model));
    }
  } catch (const DataError&) {   // no model
  } catch (const UsageError&) {  // one that is read but not written: of an unknown type
  }
}

void run_datapoint(std::string_view input) {
  expect_only_data_errors([&] { loads(as_byte_span(input)); });
}

void run_tf_example(std::string_view input) {
  expect_only_data_errors([&] { serialize_tf_example(parse_tf_example("x", input)); });
}

/// The input is the JSON of a graph file, whose weight "w" is [3, 2].
void run_graph_file(std::string_view input) {
  FaultFileSystem files;
  const std::vector<float> w(6, 1);
  try {
    write_safetensors("x", {{{"w", DataType::kFloat32, {3, 2}}, std::as_bytes(std::span(w))}},
                      {{"belfry_graph", std::string(input)}}, files);
  } catch (const UsageError&) {
    return;  // no UTF-8
  }
  expect_only_data_errors([&] { read_inference_graph("x", {}, files); });
}

struct Handle {
  uint64_t offset, size;
};

// False when the bytes hold no block of that place and size.
bool repair_block(std::string& index, const char*& p, const char* end, Handle& block) {
  try {
    block.offset = protozero::decode_varint(&p, end);
    block.size = protozero::decode_varint(&p, end);
  } catch (const protozero::exception&) {
    return false;
  }
  if (block.offset > index.size() || block.size > index.size() - block.offset) return false;
  if (index.size() - block.offset - block.size < 5) return false;
  uint32_t crc = mask_crc(crc32c(as_byte_span(std::string_view(index).substr(block.offset, block.size + 1))));
  std::memcpy(index.data() + block.offset + block.size + 1, &crc, sizeof crc);
  return true;
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() {
  static const std::vector<FuzzTarget> targets = {
      {"bundle", run_bundle},           {"checkpoint_state", run_checkpoint_state},
      {"tfrecord", run_tfrecord},       {"npz", run_npz},
      {"safetensors", run_safetensors}, {"onnx", run_onnx},
      {"onnx_import", run_onnx_import}, {"graph_file", run_graph_file},
      {"datapoint", run_datapoint},     {"tf_example", run_tf_example}};
  return targets;
}

const std::vector<GraphTarget>& graph_targets() {
  static const std::vector<GraphTarget> targets = {{"operator_graph", run_operator_graph},
                                                   {"onnx_operator", run_onnx_operator}};
  return targets;
}

void repair_index_checksums(std::string& index) {
  constexpr size_t kFooter = 48;
  if (index.size() < kFooter) return;
  const char* p = index.data() + index.size() - kFooter;
  const char* end = index.data() + index.size();
  Handle blocks{}, data{};
  if (!repair_block(index, p, end, blocks) || !repair_block(index, p, end, blocks)) return;
  // The first entry of the index block: shared, own and value lengths of one byte each, key, then the handle.
  if (blocks.size < 4 || static_cast<unsigned char>(index[blocks.offset + 1]) > blocks.size - 4) return;
  const char* handle =
      index.data() + blocks.offset + 3 + static_cast<unsigned char>(index[blocks.offset + 1]);
  repair_block(index, handle, end, data);
}

std::string bundle_input(std::string_view index, std::string_view data) {
  auto size = static_cast<uint32_t>(index.size());
  std::string out(reinterpret_cast<const char*>(&size), sizeof size);
  return out.append(index).append(data);
}

}  // namespace belfry::test
