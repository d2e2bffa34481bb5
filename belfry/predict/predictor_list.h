#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/predict/predictor.h"

namespace belfry {

/// Spreads calls over several predictors of the same inputs and outputs: each goes to the one with the fewest
/// calls running, the first of equals. So predictors of one call at a time, or on a device each, serve many
/// threads. Copies share the predictors and their counts; calls are safe from any number of threads if the
/// predictors' are.
class PredictorList : public Predictor {
 public:
  /// Throws UsageError when there is no predictor, one is null, or two differ in the number of inputs or
  /// outputs.
  explicit PredictorList(std::vector<std::shared_ptr<const Predictor>> predictors);

  const std::vector<TensorSpec>& inputs() const final { return predictors()[0]->inputs(); }
  const std::vector<TensorSpec>& outputs() const final { return predictors()[0]->outputs(); }

  using Predictor::operator();
  std::vector<at::Tensor> operator()(const std::vector<at::Tensor>& inputs) const final;
  void run_into(const std::vector<at::Tensor>& inputs, const std::vector<at::Tensor>& results) const final;
  std::string describe() const final;

  const std::vector<std::shared_ptr<const Predictor>>& predictors() const;

 private:
  struct Calls;
  std::shared_ptr<Calls> calls_;
};

}  // namespace belfry
