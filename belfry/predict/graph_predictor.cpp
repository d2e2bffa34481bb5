#include "belfry/predict/graph_predictor.h"

#include <utility>

#include "belfry/interchange/graph_file.h"

namespace belfry {

struct GraphPredictor::Model {
  explicit Model(Function f) : function(std::move(f)), session(*function.graph) {
    function.graph->finalize();
  }

  Function function;
  Session session;
};

GraphPredictor::GraphPredictor(Function function, const CompileOptions& options)
    : GraphPredictor(std::make_shared<Model>(std::move(function)), options) {}

GraphPredictor::GraphPredictor(std::shared_ptr<Model> model, const CompileOptions& options)
    : CompiledPredictor(model->session, model->function.inputs, model->function.outputs,
                        model->function.input_names, model->function.output_names, options),
      model_(std::move(model)) {}

const Function& GraphPredictor::function() const {
  return model_->function;
}

GraphPredictor load_inference_graph(const std::string& path, const GraphLoadOptions& options,
                                    FileSystem& files) {
  return GraphPredictor(read_inference_graph(path, {.further_operators = options.further_operators}, files),
                        options.compile);
}

}  // namespace belfry
