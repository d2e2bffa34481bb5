#include "belfry/predict/predictor_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "belfry/base/error.h"

namespace belfry {

struct PredictorList::Calls {
  explicit Calls(std::vector<std::shared_ptr<const Predictor>> all)
      : predictors(std::move(all)), running(predictors.size(), 0) {}

  /// Counts a call while it runs.
  class Call {
   public:
    explicit Call(Calls& calls) : calls_(calls) {
      std::lock_guard lock(calls_.mutex);
      const auto least = std::min_element(calls_.running.begin(), calls_.running.end());
      index_ = static_cast<size_t>(least - calls_.running.begin());
      ++*least;
    }
    ~Call() {
      std::lock_guard lock(calls_.mutex);
      --calls_.running[index_];
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    const Predictor& predictor() const { return *calls_.predictors[index_]; }

   private:
    Calls& calls_;
    size_t index_;
  };

  const std::vector<std::shared_ptr<const Predictor>> predictors;
  std::mutex mutex;
  std::vector<int64_t> running;  // calls of each; guarded by the mutex
};

PredictorList::PredictorList(std::vector<std::shared_ptr<const Predictor>> predictors) {
  if (predictors.empty()) throw UsageError("[PredictorList] expected at least one predictor, got none");
  for (const auto& predictor : predictors) {
    if (!predictor) throw UsageError("[PredictorList] expected predictors, got an empty pointer");
    const size_t inputs = predictor->inputs().size(), outputs = predictor->outputs().size();
    const size_t first_inputs = predictors[0]->inputs().size(),
                 first_outputs = predictors[0]->outputs().size();
    if (inputs != first_inputs || outputs != first_outputs) {
      throw UsageError(fmt::format(
          "[PredictorList] expected {} inputs and {} outputs as of the first predictor, got {} and {}",
          first_inputs, first_outputs, inputs, outputs));
    }
  }
  calls_ = std::make_shared<Calls>(std::move(predictors));
}

std::vector<at::Tensor> PredictorList::operator()(const std::vector<at::Tensor>& inputs) const {
  return Calls::Call(*calls_).predictor()(inputs);
}

void PredictorList::run_into(const std::vector<at::Tensor>& inputs,
                             const std::vector<at::Tensor>& results) const {
  Calls::Call(*calls_).predictor().run_into(inputs, results);
}

std::string PredictorList::describe() const {
  return fmt::format("{} predictors, the first: {}", predictors().size(), predictors()[0]->describe());
}

const std::vector<std::shared_ptr<const Predictor>>& PredictorList::predictors() const {
  return calls_->predictors;
}

}  // namespace belfry
