#include "belfry/loop/step_runner.h"

namespace belfry {

std::vector<at::Tensor> StepRunner::run(Session& session, const std::vector<Tensor>& feeds,
                                        const std::vector<Tensor>& fetches,
                                        const std::vector<at::Tensor>& batch) {
  if (!is_prepared_ || feeds != feeds_ || fetches != fetches_) {
    callable_ = session.make_callable({feeds.begin(), feeds.end()}, {fetches.begin(), fetches.end()});
    feeds_ = feeds;
    fetches_ = fetches;
    is_prepared_ = true;
  }
  return callable_(batch);
}

}  // namespace belfry
