#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/graph/function.h"
#include "belfry/runtime/predictor.h"
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

/// Runs a graph read from a file, compiled for inference. Names are those of the tensors that were saved,
/// without ":0". Copies share everything; calls are safe from any number of threads.
class GraphPredictor : public Predictor {
 public:
  using Predictor::operator();
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const override;
  const std::vector<std::string>& input_names() const override;
  const std::vector<std::string>& output_names() const override;

  /// What the file holds, for looking at and for exports: the weights are constants of its graph.
  const Function& function() const;

 private:
  friend GraphPredictor load_inference_graph(const std::string&, FileSystem&);
  struct Engine;
  explicit GraphPredictor(std::shared_ptr<const Engine> engine) : engine_(std::move(engine)) {}
  std::shared_ptr<const Engine> engine_;
};

/// Reads a file that save_inference_graph wrote. Operators of other libraries must be loaded before. Throws
/// DataError, naming what is wrong, for a damaged file, a version or an operator that this program does not
/// know, and a graph whose shapes are not those that it claims. No file can make this call anything but
/// operators that compute a tensor from tensors.
GraphPredictor load_inference_graph(const std::string& path, FileSystem& files = FileSystem::posix());

}  // namespace belfry
