#include "belfry/callbacks/internal/sample_counter.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

#include "belfry/base/error.h"
#include "belfry/base/log.h"

namespace belfry::internal {

SampleCounter::SampleCounter(std::string who, std::string batch_input,
                             const std::vector<TensorSpec>& signature)
    : who_(std::move(who)) {
  std::vector<std::string> dynamic, with_first;
  std::set<int64_t> static_sizes;
  for (const TensorSpec& spec : signature) {
    if (spec.shape.empty()) continue;
    with_first.push_back(spec.name);
    if (spec.shape[0] == kDynamic) dynamic.push_back(spec.name);
    static_sizes.insert(spec.shape[0]);
  }
  if (!batch_input.empty()) {
    if (std::find(with_first.begin(), with_first.end(), batch_input) == with_first.end()) {
      throw UsageError(
          fmt::format("[{}] expected .batch_input to be an input with a first dimension ({}), got '{}'", who_,
                      fmt::join(with_first, ", "), batch_input));
    }
    inputs_ = {batch_input};
  } else if (!dynamic.empty()) {
    inputs_ = dynamic;
  } else if (static_sizes.size() == 1) {
    inputs_ = with_first;
  }
  counts_batches_ = inputs_.empty();
  if (!counts_batches_) {
    log_info("[{}] Samples of a batch are counted by the first dimension of: {}", who_,
             fmt::join(inputs_, ", "));
  } else {
    log_warning("[{}] {}: each batch counts as one sample. Name the input that counts in .batch_input.", who_,
                with_first.empty() ? "No input has a first dimension"
                                   : "The first dimensions of the inputs are fixed and differ");
  }
}

int64_t SampleCounter::count(const std::vector<int64_t>& sizes) {
  const int64_t batch = counted_++;
  if (inputs_.empty()) return 1;
  const bool agree = std::equal(sizes.begin() + 1, sizes.end(), sizes.begin());
  if (batch == 0) counts_batches_ = !agree;
  if (counts_batches_) {
    if (!std::exchange(warned_, true)) {
      log_warning(
          "[{}] The inputs {} have first dimensions of {}: each batch counts as one sample. Name the input "
          "that counts in .batch_input.",
          who_, fmt::join(inputs_, ", "), fmt::join(sizes, ", "));
    }
    return 1;
  }
  if (!agree) {
    throw UsageError(fmt::format(
        "[{}] expected inputs with one first dimension ({}), as in the batches before, got {} in batch {}; "
        "name the input that counts in .batch_input",
        who_, fmt::join(inputs_, ", "), fmt::join(sizes, ", "), batch));
  }
  return sizes[0];
}

}  // namespace belfry::internal
