#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "belfry/formats/array_info.h"

namespace belfry {

// TensorFlow's graphs as structs: what the serialize functions turn into bytes.

/// -1: a size that only a run knows.
struct GraphDefShape {
  std::vector<int64_t> sizes;
};
/// Elements in row-major order; strings one by one.
struct GraphDefTensor {
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> shape;
  std::string bytes;
  std::vector<std::string> strings = {};  ///< for kString, in place of `bytes`
};

using GraphDefAttribute = std::variant<bool, int64_t, float, std::string, DataType, GraphDefShape,
                                       GraphDefTensor, std::vector<int64_t>, std::vector<DataType>>;

struct GraphDefNode {
  std::string name;
  std::string op;
  std::vector<std::string> inputs;  ///< "node", "node:1", and last "^node" for control dependencies
  std::map<std::string, GraphDefAttribute> attributes;
};
using GraphDef = std::vector<GraphDefNode>;

/// One input or output of a signature.
struct SignatureTensor {
  std::string tensor;  ///< "prob:0"
  DataType dtype = DataType::kInvalid;
  std::vector<int64_t> shape;
};

struct SavedModelDef {
  GraphDef graph;
  std::string tag = "serve";
  std::string signature_name = "serving_default";
  std::map<std::string, SignatureTensor> inputs;
  std::map<std::string, SignatureTensor> outputs;
  /// Names of nodes, when the graph has variables: the constant that takes the path of their checkpoint, and
  /// the operation that restores them. Empty: none.
  std::string checkpoint_path_node;
  std::string restore_node;
};

/// Both throw UsageError for more than 2 GiB, which readers of protocol buffers refuse.
std::string serialize_graph_def(const GraphDef& graph);
std::string serialize_saved_model(const SavedModelDef& model);

}  // namespace belfry
