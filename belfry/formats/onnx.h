#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/formats/array_info.h"

namespace belfry {

// ONNX models as structs: what serialize_onnx and parse_onnx turn into bytes and back. Of the format's
// messages there are those that an inference graph is made of.

/// Bytes kept in a file beside the model, what ONNX calls external data.
struct OnnxExternalBytes {
  std::string file;  ///< path from the model's folder
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct OnnxTensor {
  ArrayInfo info;
  std::string bytes;  ///< none where `external` says where they are
  std::optional<OnnxExternalBytes> external = std::nullopt;
};

struct OnnxGraph;

struct OnnxAttribute {
  using Value = std::variant<float, int64_t, std::string, OnnxTensor, std::vector<float>,
                             std::vector<int64_t>, std::shared_ptr<const OnnxGraph>>;
  std::string name;
  Value value;
};

struct OnnxNode {
  std::string op;
  std::string name;
  std::vector<std::string> inputs;  ///< names of values; "" where an optional input is left out
  std::vector<std::string> outputs;
  std::vector<OnnxAttribute> attributes;
};

/// An input or output. A size is a number, or the name of one that only a run knows ("" where it has none).
struct OnnxValue {
  using Size = std::variant<int64_t, std::string>;
  std::string name;
  DataType dtype = DataType::kInvalid;
  std::vector<Size> shape;
};

/// What a branch or the body of a loop computes. Its nodes may use values of the graphs around it.
struct OnnxGraph {
  std::string name;
  std::vector<OnnxNode> nodes;
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;
  std::vector<OnnxValue> outputs;
};

struct OnnxModel {
  int64_t ir_version = 8;
  int64_t opset = 17;  ///< of ONNX's own domain
  std::string producer = "belfry";
  std::string graph_name = "main";
  std::vector<OnnxNode> nodes;  ///< each after those that make its inputs
  std::vector<OnnxTensor> initializers;
  std::vector<OnnxValue> inputs;
  std::vector<OnnxValue> outputs;
};

/// Writes references to external bytes, not the bytes. Throws UsageError for a dtype that the format has not,
/// and for a model of more than 2 GiB, which readers of protocol buffers refuse.
std::string serialize_onnx(const OnnxModel& model);

/// `where` names the bytes in messages. Throws DataError when they are damaged, or hold what the structs do
/// not: subgraphs, functions, other domains, sparse tensors. External bytes stay where they are. Inputs that
/// are initializers too are left out.
OnnxModel parse_onnx(const std::string& where, ByteSpan bytes);

/// The files that a model keeps bytes in; each is opened once.
class OnnxExternalFiles {
 public:
  /// Of the model at `path`. `files` must outlive the object.
  OnnxExternalFiles(std::string path, FileSystem& files) : path_(std::move(path)), files_(files) {}

  /// The file of a tensor with external bytes, which has all of them. Throws DataError where it has not, for
  /// a file that is not in the model's folder or below it, also by way of a symbolic link, and once the
  /// tensors asked for have more bytes than the file: they would share some, and could take any memory.
  const ReadableFile& of(const OnnxTensor& tensor);

 private:
  std::string path_;
  FileSystem& files_;
  struct File {
    std::unique_ptr<ReadableFile> file;
    uint64_t given = 0;  // bytes of the tensors that were asked for
  };
  std::map<std::string, File> open_;
};

}  // namespace belfry
