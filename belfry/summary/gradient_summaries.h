#pragma once

#include <string>
#include <vector>

#include "belfry/graph/collection.h"
#include "belfry/optim/gradient_processor.h"

namespace belfry {

/// Shows the gradients of the variables whose whole name matches `regex` (ECMAScript): a histogram,
/// "<variable>-grad", and the moving average of their root mean square, "<variable>/rms". The gradients stay
/// as they are. In a training of several towers only those of the first are shown, once each.
class SummaryGradient : public MapGradient {
 public:
  /// `collections`: of the histograms.
  explicit SummaryGradient(std::string regex = ".*", std::vector<std::string> collections = {kSummaries});
  std::string name() const override { return "SummaryGradient"; }
};

/// Logs shape, mean and root mean square of such gradients in each step.
class PrintGradient : public MapGradient {
 public:
  explicit PrintGradient(std::string regex = ".*");
  std::string name() const override { return "PrintGradient"; }
};

}  // namespace belfry
