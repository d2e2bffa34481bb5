#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/base/file_system.h"
#include "belfry/graph/function.h"
#include "belfry/predict/compiled_predictor.h"

namespace belfry {

/// Runs a graph without its model's code, compiled: one that was saved as a file, for instance. Copies share
/// everything; calls are safe from any number of threads.
class GraphPredictor : public CompiledPredictor {
 public:
  /// `function` has the values of its weights, as constants of its graph; nothing may be added to that any
  /// more.
  explicit GraphPredictor(Function function, const CompileOptions& options = {});

  /// What it runs, for looking at and for exports.
  const Function& function() const;

 private:
  struct Model;
  GraphPredictor(std::shared_ptr<Model> model, const CompileOptions& options);
  std::shared_ptr<Model> model_;
};

struct GraphLoadOptions {
  /// See GraphReadOptions.
  std::vector<std::string> further_operators = {};
  CompileOptions compile = {};
};

/// A predictor of read_inference_graph(path), with the names that the file gives. Throws what that throws.
GraphPredictor load_inference_graph(const std::string& path, const GraphLoadOptions& options = {},
                                    FileSystem& files = FileSystem::posix());

}  // namespace belfry
