#include "belfry/loop/step_runner.h"

#include <algorithm>

namespace belfry {

std::vector<at::Tensor> StepRunner::run(const std::vector<Tensor>& feeds, const std::vector<Tensor>& fetches,
                                        const std::vector<at::Tensor>& batch) {
  const auto found = std::ranges::find_if(prepared_, [&](const Prepared& prepared) {
    return prepared.feeds == feeds && prepared.fetches == fetches;
  });
  if (found != prepared_.end()) {
    prepared_.splice(prepared_.begin(), prepared_, found);
  } else {
    prepared_.push_front({feeds, fetches, prepare_(feeds, fetches)});
    if (prepared_.size() > kMostKept) prepared_.pop_back();
  }
  return prepared_.front().run(batch);
}

}  // namespace belfry
