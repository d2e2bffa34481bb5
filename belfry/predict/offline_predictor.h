#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>
#include <vector>

#include "belfry/graph/model_desc.h"
#include "belfry/predict/compiled_predictor.h"
#include "belfry/runtime/compile_options.h"
#include "belfry/runtime/session.h"
#include "belfry/runtime/session_init.h"

namespace belfry {

/// What to predict: a tower function, where its variables come from, what goes in and what comes out.
struct PredictConfig {
  /// The tower function: a ModelDesc, or a TowerFunc.
  AnyModel model = {};
  /// Where the variables' values come from; nothing: their initial values.
  AnySessionInit session_init = {};
  /// Whether a session_init that sets none of the variables may pass: a file whose names are all others, an
  /// empty path. Predictions then are those of initial values, which mean nothing.
  bool allow_initial_values = false;
  /// Names of tensors to feed: inputs of the signature, or any other tensor of the tower. Empty: every input
  /// of the signature.
  std::vector<std::string> inputs = {};
  /// Names of tensors to compute.
  std::vector<std::string> outputs = {};
  /// Whether the inputs follow the outputs in the results.
  bool return_input = false;
  /// False: the nodes join the default graph, which must outlive the predictor, below a name scope of the
  /// predictor's class; it may be final. Variables that the graph has are used, others are made.
  bool create_graph = true;
  /// The session of that graph to predict with, which must outlive the predictor, with the values that its
  /// variables have at each call. Only those without a value are initialized; session_init, if any, sets them
  /// for all who use it. Default: a session of the predictor's own. Not without create_graph = false.
  Session* session = nullptr;
  c10::Device device = c10::kCPU;
  /// How the graph is compiled: `.compile = {.compute = kBFloat16}`, for instance.
  CompileOptions compile = {};
};

/// Predicts with a clean graph of its own (unless create_graph is false), built from the tower function in
/// inference mode, without a name scope: the tensor named "prob" in the function is "prob" here. The function
/// sees a placeholder for each input of its signature; only those that the outputs need must be listed in
/// `inputs`.
///
/// Copies share graph and variables. Calls are safe from any number of threads.
class OfflinePredictor : public CompiledPredictor {
 public:
  /// Builds the graph and initialises its session. Throws UsageError when the config is incomplete, names an
  /// unknown tensor, or leaves out an input that an output needs, or when
  /// session_init set no variable (allow_initial_values), or there is no default graph to join, or the
  /// session is another graph's; and what session_init throws. The model is not used afterwards.
  explicit OfflinePredictor(const PredictConfig& config);

  const Graph& graph() const;
  Session& session() const;

 private:
  struct Model;
  OfflinePredictor(std::shared_ptr<Model> model, const PredictConfig& config);
  std::shared_ptr<Model> model_;
};

}  // namespace belfry
