#pragma once

#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/graph/function.h"
#include "belfry/runtime/session.h"

namespace belfry {

// An inference graph with its weights as one file, to be run by a program without the model's code. The file
// is a .safetensors of the weights, named as the variables that they were; its metadata hold the graph as
// JSON (docs/graph_file.md).

struct GraphFileOptions {
  /// Replaces a file that exists.
  bool overwrite = false;
};

/// Writes what `outputs` need for given `inputs`, with the variables' current values. Any tensor of the graph
/// may be an input; dynamic sizes stay dynamic. Whatever no input flows into is computed now and becomes a
/// weight.
///
/// The file appears complete or not at all. Throws UsageError when `path` exists, when the graph is no
/// inference graph (it draws random numbers, writes variables, needs a placeholder that is not among
/// `inputs`), and for an argument that the file cannot hold; DataError when the disk refuses.
void save_inference_graph(Session& session, const std::vector<Fetch>& inputs,
                          const std::vector<Fetch>& outputs, const std::string& path,
                          const GraphFileOptions& options = {});

struct GraphReadOptions {
  /// Operators that the file may hold beside those that Belfry's own functions, layers and import_onnx make
  /// nodes of, by their full names ("aten::roll"): what a graph has by `call`. Nothing is known of what such
  /// an operator does with wrong arguments, so name some only for files that you trust.
  std::vector<std::string> further_operators = {};
};

/// Reads a file that save_inference_graph wrote; weights are constants of the function's graph. Operators of
/// other libraries must be loaded before, and named in the options. Throws DataError, naming what is wrong,
/// for a damaged file, a version that this program does not know, an operator that is not allowed, and a
/// graph whose shapes are not those that it claims. No file can make this call anything but operators that
/// compute a tensor from tensors; docs/graph_file.md says what a stranger's file can do.
Function read_inference_graph(const std::string& path, const GraphReadOptions& options = {},
                              FileSystem& files = FileSystem::posix());

}  // namespace belfry
