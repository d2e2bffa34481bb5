#pragma once

#include <string>
#include <vector>

#include "belfry/compile/compiled_callable.h"
#include "belfry/runtime/predictor.h"

namespace belfry {

/// Predicts with a live session, compiled: in training, it always sees the current values of the variables. A
/// call after the end of the session's graph, which a trainer owns, is a UsageError.
class OnlinePredictor : public Predictor {
 public:
  /// `inputs` are fed, `outputs` fetched. Names are those of the tensors unless given.
  OnlinePredictor(Session& session, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                  std::vector<std::string> input_names = {}, std::vector<std::string> output_names = {},
                  const CompileOptions& options = {});

  using Predictor::operator();
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const override;
  const std::vector<std::string>& input_names() const override { return input_names_; }
  const std::vector<std::string>& output_names() const override { return output_names_; }

  /// What calls do: for its description, and for results in the caller's memory.
  const CompiledCallable& callable() const { return callable_; }

 private:
  CompiledCallable callable_;
  std::vector<std::string> input_names_, output_names_;
};

}  // namespace belfry
