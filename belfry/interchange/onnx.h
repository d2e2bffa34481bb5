#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/graph/function.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct OnnxExportOptions {
  /// Replaces files that exist.
  bool overwrite = false;
  /// Weights of more bytes than this go to a second file, `path`.data, which belongs beside the model: ONNX's
  /// external data. Readers of protocol buffers take files of up to 2 GiB.
  uint64_t max_inline_bytes = 2'000'000'000;
};

/// Writes what `outputs` need for given `inputs` as an ONNX model (IR 8, opset 17), with the variables'
/// current values. Any tensor of the graph may be an input. Inputs and outputs have the names of their
/// tensors, without ":0"; their dynamic sizes stay dynamic. Whatever no input flows into is computed now and
/// becomes an initializer.
///
/// Images in NHWC stay so at inputs and outputs; in between, transpositions cancel.
///
/// Nodes that only log (print) pass their input on.
///
/// The model appears complete or not at all, after its weights. Throws UsageError when `path` exists, when
/// the graph is no inference graph (it draws random numbers, writes variables, needs a placeholder that is
/// not among `inputs`), and for an operator or dtype that ONNX has no counterpart for, naming node, operator
/// and scope; DataError when the disk refuses. May be called while other threads run the session.
void export_onnx(Session& session, const std::vector<Fetch>& inputs, const std::vector<Fetch>& outputs,
                 const std::string& path, const OnnxExportOptions& options = {});
/// The same of a function that has the values of its weights: of a GraphPredictor, for one.
void export_onnx(const Function& function, const std::string& path, const OnnxExportOptions& options = {});

/// Adds an ONNX model (opset 13 to 17) to the default graph, which keeps its nodes: a placeholder for each of
/// its inputs, its weights as constants. Nodes have the model's names where it gives them, with _ for
/// characters that names of graphs have not, under the current name scope. Throws DataError for a damaged
/// file, a model of another opset, an operator that export_onnx does not write or writes otherwise, an
/// attribute or input that the import does not know, and shapes that do not fit, naming operator and node. No
/// file can make this call anything but operators that compute a tensor from tensors, or read files from
/// outside of the model's folder.
Function import_onnx(const std::string& path, FileSystem& files = FileSystem::posix());

}  // namespace belfry
