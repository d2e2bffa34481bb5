#pragma once

#include <string>
#include <vector>

#include "belfry/inference/compiled_callable.h"
#include "belfry/predict/predictor.h"

namespace belfry {

/// A predictor that runs a compiled graph: what OnlinePredictor, OfflinePredictor and GraphPredictor are,
/// which differ in where graph and variables come from. Copies share everything; calls are safe from any
/// number of threads.
class CompiledPredictor : public Predictor {
 public:
  const std::vector<TensorSpec>& inputs() const final { return inputs_; }
  const std::vector<TensorSpec>& outputs() const final { return outputs_; }

  using Predictor::operator();
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const final;
  void run_into(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& results) const final;
  /// What compilation made of the graph.
  std::string describe() const final { return callable_.describe(); }

  /// The run itself: whether it is compiled, and where its time goes.
  const CompiledCallable& callable() const { return callable_; }

 protected:
  /// `inputs` are fed, `outputs` fetched. Names are those of the tensors unless given.
  CompiledPredictor(Session& session, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                    const std::vector<std::string>& input_names, const std::vector<std::string>& output_names,
                    const CompileOptions& options);

 private:
  void check_count(const std::vector<at::Tensor>& inputs) const;

  CompiledCallable callable_;
  std::vector<TensorSpec> inputs_, outputs_;
};

}  // namespace belfry
