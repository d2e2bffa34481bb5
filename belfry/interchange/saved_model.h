#pragma once

#include <string>
#include <vector>

#include "belfry/graph/function.h"
#include "belfry/runtime/session.h"

namespace belfry {

// Inference graphs for TensorFlow. Both functions write what `outputs` need for given `inputs`, with the
// variables' current values. Any tensor of the graph may be an input; dynamic sizes stay dynamic. Inputs and
// outputs are the nodes of their names ("split.1" for the tensor "split:1"). Whatever no input flows into is
// computed now. Nodes that only log (print) pass their input on.
//
// Both throw UsageError when the path exists, when the graph is no inference graph (it draws random numbers,
// writes variables, needs a placeholder that is not among `inputs`), and for an operator that TensorFlow has
// no counterpart for, naming node, operator and scope; DataError when the disk refuses.

struct FrozenGraphOptions {
  /// Replaces a file that exists.
  bool overwrite = false;
};

/// Writes a GraphDef, for tf.import_graph_def, whose weights are constants. The file appears complete or not
/// at all.
void export_frozen_graph(Session& session, const std::vector<Fetch>& inputs,
                         const std::vector<Fetch>& outputs, const std::string& path,
                         const FrozenGraphOptions& options = {});
/// The same of a function that has the values of its weights: of a GraphPredictor, for one.
void export_frozen_graph(const Function& function, const std::string& path,
                         const FrozenGraphOptions& options = {});

struct SavedModelOptions {
  std::string tag = "serve";
  std::string signature_name = "serving_default";
};

/// Writes a SavedModel, for tf.saved_model.load and TensorFlow Serving, as the folder `folder`, which must
/// not exist: Serving looks for one named with a number. Variables stay variables; the keys of its signature
/// are those names. The folder appears complete or not at all.
void export_saved_model(Session& session, const std::vector<Fetch>& inputs, const std::vector<Fetch>& outputs,
                        const std::string& folder, const SavedModelOptions& options = {});
void export_saved_model(const Function& function, const std::string& folder,
                        const SavedModelOptions& options = {});

}  // namespace belfry
