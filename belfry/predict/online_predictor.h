#pragma once

#include <string>
#include <vector>

#include "belfry/predict/compiled_predictor.h"

namespace belfry {

/// Predicts with a live session, compiled: in training, it always sees the current values of the variables. A
/// call after the end of the session's graph, which a trainer owns, is a UsageError.
class OnlinePredictor : public CompiledPredictor {
 public:
  /// `inputs` are fed, `outputs` fetched. Names are those of the tensors unless given.
  OnlinePredictor(Session& session, const std::vector<Tensor>& inputs, const std::vector<Tensor>& outputs,
                  const std::vector<std::string>& input_names = {},
                  const std::vector<std::string>& output_names = {}, const CompileOptions& options = {})
      : CompiledPredictor(session, inputs, outputs, input_names, output_names, options) {}
};

}  // namespace belfry
