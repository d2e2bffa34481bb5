// What each reader takes for the file that makes most of its bytes: memory in proportion to its size, and
// time too, as a test whose reader were quadratic would not end.

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <protozero/pbf_writer.hpp>

#include "belfry/base/error.h"
#include "belfry/formats/bundle_reader.h"
#include "belfry/formats/caffe.h"
#include "belfry/formats/caffe_model.h"
#include "belfry/formats/checkpoint_state.h"
#include "belfry/formats/internal/bundle_proto.h"
#include "belfry/formats/internal/table.h"
#include "belfry/formats/msgpack.h"
#include "belfry/formats/npy.h"
#include "belfry/formats/npz.h"
#include "belfry/formats/onnx.h"
#include "belfry/formats/pickle.h"
#include "belfry/formats/safetensors.h"
#include "belfry/formats/tf_example.h"
#include "belfry/formats/tfrecord.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/peak_memory.h"

namespace belfry {
namespace {

using namespace internal;

using test::repeated;

constexpr size_t kMiB = 1 << 20;

std::string big_endian(uint32_t value) {
  value = __builtin_bswap32(value);
  return {reinterpret_cast<const char*>(&value), sizeof value};
}

std::string message(uint32_t field, std::string_view content) {
  std::string out;
  protozero::pbf_writer(out).add_message(field, content.data(), content.size());
  return out;
}

struct WorstFile {
  const char* name;
  std::function<std::string()> make;
  void (*read)(const std::string&);
};
void PrintTo(const WorstFile& file, std::ostream* out) {
  *out << file.name;
}

std::string msgpack_list(std::string_view piece, size_t count) {
  return std::string("\xdd") + big_endian(static_cast<uint32_t>(count)) +
         repeated(piece, count * piece.size());
}
void read_msgpack(const std::string& bytes) {
  parse_msgpack("x", as_byte_span(bytes));
}

std::string pickle_list(std::string_view piece, size_t size) {
  return std::string("\x80\x04](") + repeated(piece, size) + "e.";
}
std::string pickle_dict(std::string_view piece, size_t size) {
  return std::string("\x80\x04}(") + repeated(piece, size) + "u.";
}
/// One list of objects, and arrays that all hold it.
std::string pickle_arrays(size_t elements, size_t arrays) {
  const std::string object_type =
      "\x8c\x05numpy\x8c\x05"
      "dtype\x93\x8c\x02O8\x85R";
  const std::string array =
      "\x8c\x16numpy.core.multiarray\x8c\x0c_reconstruct\x93)R(K\x01h\x02h\x01\x89h\x00tb";
  const auto size = static_cast<uint32_t>(elements);
  std::string shape = "J";
  shape.append(reinterpret_cast<const char*>(&size), sizeof size).append("\x85");
  return std::string("\x80\x04](") + repeated("N", elements) + "e\x94" + object_type + "\x94" + shape +
         "\x94](" + repeated(array, arrays * array.size()) + "e.";
}
void read_pickle(const std::string& bytes) {
  parse_pickle("x", as_byte_span(bytes));
}

void read_caffe_net(const std::string& bytes) {
  parse_caffe_net("x", bytes);
}

std::string safetensors(std::string header) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header;
}
std::string many_tensors(size_t count) {
  std::string header = "{";
  for (size_t i = 0; i < count; ++i) {
    header +=
        (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  }
  return safetensors(header + "}");
}
std::string many_metadata(size_t count) {
  std::string header = R"({"__metadata__":{"a":"")";
  for (size_t i = 0; i < count; ++i) header += std::string(",\"") + std::to_string(i) + "\":\"\"";
  return safetensors(header + "}}");
}
void read_safetensors(const std::string& bytes) {
  test::FaultFileSystem files;
  files.put("x", bytes);
  SafetensorsReader("x", files);
}

/// A list of more than one thing of an ONNX model's graph.
std::string onnx(std::string_view piece) {
  return message(7, repeated(piece, 4 * kMiB));
}
void read_onnx(const std::string& bytes) {
  parse_onnx("x", as_byte_span(bytes));
}

std::string bundle_index(const std::function<void(std::map<std::string, std::string>&)>& fill) {
  std::map<std::string, std::string> entries;
  entries[""] = serialize(BundleHeader{});
  fill(entries);
  return build_table(entries);
}
std::string many_slices() {
  BundleRecord record{.dtype = DataType::kFloat32};
  const std::string bytes = serialize(record) + repeated(std::string_view("\x3a\x00", 2), 4 * kMiB);
  return bundle_index([&](auto& entries) { entries["a"] = bytes; });
}
std::string long_shared_keys() {
  const BundleRecord record{.dtype = DataType::kFloat32, .shape = {0}};
  const std::string prefix(1000, 'k');
  return bundle_index([&](auto& entries) {
    for (int i = 100000; i < 150000; ++i) entries[prefix + std::to_string(i)] = serialize(record);
  });
}
std::string many_short_keys() {
  const BundleRecord record{.dtype = DataType::kFloat32, .shape = {0}};
  return bundle_index([&](auto& entries) {
    for (int i = 100000; i < 300000; ++i) entries[std::to_string(i)] = serialize(record);
  });
}
void read_bundle(const std::string& bytes) {
  test::FaultFileSystem files;
  files.put("m.index", bytes);
  files.put("m.data-00000-of-00001", "");
  BundleReader("m", files);
}

std::string example(uint32_t kind, std::string_view piece) {
  const std::string feature = message(2, message(kind, piece));
  return message(1, message(1, message(1, "a") + feature));
}
void read_example(const std::string& bytes) {
  parse_tf_example("x", bytes);
}

/// Of one array of zeros, packed as well as the format can.
std::string bomb() {
  test::FaultFileSystem files;
  const std::vector<float> zeros(16 * kMiB);
  NpzWriter writer("x", files);
  writer.add("a", DataType::kFloat32, {static_cast<int64_t>(zeros.size())}, std::as_bytes(std::span(zeros)));
  writer.finish();
  return files.content("x");
}
void read_npz(const std::string& bytes) {
  NpzReader("x", as_byte_span(bytes));  // that of an array is the caller's, who has seen its shape
}

std::string npy_with_long_shape() {
  const std::string dictionary =
      "{'descr':'<f4','fortran_order':False,'shape':(" + repeated("1,", 2 * kMiB) + ")}";
  const auto length = static_cast<uint32_t>(dictionary.size());
  return std::string("\x93NUMPY\x02\x00", 8) + std::string(reinterpret_cast<const char*>(&length), 4) +
         dictionary;
}
void read_npy(const std::string& bytes) {
  parse_npy_header("x", bytes);
}

std::string record_of_claimed_length() {
  std::string record = frame_record("a");
  record[5] = '\x7f';
  return record;
}
void read_records(const std::string& bytes) {
  test::FaultFileSystem files;
  files.put("x", bytes);
  RecordReader reader("x", files);
  for (std::string payload; reader.next(payload);) {
  }
}

const WorstFile kFiles[] = {
    {"MsgpackNils", [] { return msgpack_list("\xc0", 8 * kMiB); }, read_msgpack},
    {"MsgpackSmallIntegers", [] { return std::string("\x91") + msgpack_list("\x01", 8 * kMiB); },
     read_msgpack},
    {"MsgpackEmptyLists", [] { return std::string("\x91") + msgpack_list("\x90", 8 * kMiB); }, read_msgpack},
    {"MsgpackShortLists", [] { return msgpack_list("\x91\x90", 4 * kMiB); }, read_msgpack},
    {"MsgpackDict",
     [] { return std::string("\xdf") + big_endian(uint32_t{4 * kMiB}) + repeated("\xa0\xc0", 8 * kMiB); },
     read_msgpack},
    {"PickleDict", [] { return pickle_dict(std::string_view("\x8c\x00N", 3), 6 * kMiB); }, read_pickle},
    {"PickleArraysOfObjects", [] { return pickle_arrays(2 * kMiB, 20000); }, read_pickle},
    {"PickleDicts", [] { return pickle_list("}", 4 * kMiB); }, read_pickle},
    {"PickleNones", [] { return pickle_list("N", 4 * kMiB); }, read_pickle},
    {"PickleSmallIntegers",
     [] { return std::string("\x80\x04](") + pickle_list("K\x01", 4 * kMiB).substr(2); }, read_pickle},
    {"PickleEmptyLists", [] { return pickle_list("]", 4 * kMiB); }, read_pickle},
    {"PickleMarks", [] { return pickle_list("(", 4 * kMiB); }, read_pickle},
    {"PickleMemo", [] { return pickle_list("N\x94", 4 * kMiB); }, read_pickle},
    {"SafetensorsShape", [] { return safetensors(R"({"a":{"shape":[0)" + repeated(",0", 8 * kMiB) + "]}}"); },
     read_safetensors},
    {"SafetensorsTensors", [] { return many_tensors(150000); }, read_safetensors},
    {"SafetensorsMetadata", [] { return many_metadata(500000); }, read_safetensors},
    {"SafetensorsObjects",
     [] { return safetensors(R"({"a":{"b":{)" + repeated(R"("":{},)", 8 * kMiB) + "}}}"); },
     read_safetensors},
    {"OnnxNodes", [] { return onnx(std::string_view("\x0a\x00", 2)); }, read_onnx},
    {"OnnxAttributes", [] { return message(7, message(1, repeated("\x2a\x03\xa0\x01\x02", 4 * kMiB))); },
     read_onnx},
    {"OnnxInputsOfNodes",
     [] { return message(7, message(1, repeated(std::string_view("\x0a\x00", 2), 4 * kMiB))); }, read_onnx},
    {"OnnxDimensions", [] { return message(7, message(5, message(1, std::string(4 * kMiB, '\1')))); },
     read_onnx},
    {"BundleSlices", many_slices, read_bundle},
    {"BundleLongSharedKeys", long_shared_keys, read_bundle},
    {"BundleShortKeys", many_short_keys, read_bundle},
    {"ExampleTexts", [] { return example(1, repeated(std::string_view("\x0a\x00", 2), 4 * kMiB)); },
     read_example},
    {"ExampleIntegers", [] { return example(3, message(1, std::string(4 * kMiB, '\1'))); }, read_example},
    {"CaffeBlob", [] { return repeated(std::string_view("\x2d\x00\x00\x00\x00", 5), 4 * kMiB); },
     [](const std::string& bytes) { parse_caffe_blob("x", bytes); }},
    {"CaffeDatum", [] { return message(4, std::string(4 * kMiB, '\1')); },
     [](const std::string& bytes) { parse_caffe_datum("x", bytes); }},
    {"CaffeLayers", [] { return repeated(std::string_view("\xa2\x06\x00", 3), 6 * kMiB); }, read_caffe_net},
    {"CaffeBlobs", [] { return message(100, repeated(std::string_view("\x3a\x00", 2), 4 * kMiB)); },
     read_caffe_net},
    {"CaffeShape",
     [] { return message(100, message(7, message(7, message(1, std::string(4 * kMiB, '\1'))))); },
     read_caffe_net},
    {"NpzBomb", bomb, read_npz},
    {"NpyShape", npy_with_long_shape, read_npy},
    {"TfRecordLength", record_of_claimed_length, read_records},
    {"TfRecordEmptyRecords", [] { return repeated(frame_record(""), 4 * kMiB); }, read_records},
    {"CheckpointState",
     [] {
       return std::string("model_checkpoint_path: \"a\"\n") +
              repeated("all_model_checkpoint_paths: \"\"\n", kMiB);
     },
     [](const std::string& bytes) { parse_checkpoint_state("x", bytes); }},
};

class WorstFileTest : public testing::TestWithParam<WorstFile> {};

TEST_P(WorstFileTest, TakesMemoryInProportionToItsSize) {
  const std::string bytes = GetParam().make();
  test::expect_memory_in_proportion(GetParam().name, bytes.size(), [&] { GetParam().read(bytes); });
}

INSTANTIATE_TEST_SUITE_P(Readers, WorstFileTest, testing::ValuesIn(kFiles),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace belfry
