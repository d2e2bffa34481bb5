#include "belfry/summary/gradient_summaries.h"

#include <memory>
#include <regex>
#include <set>
#include <utility>

#include "belfry/graph/graph.h"
#include "belfry/graph/scope.h"
#include "belfry/summary/print_stat.h"
#include "belfry/summary/summary.h"

namespace belfry {
namespace {

/// Whether `variable` has not come along yet, in this graph, and is not of another tower.
class Once {
 public:
  bool operator()(const Variable& variable) const {
    static const std::regex of_other_tower("tower[0-9]+/.*");
    if (std::regex_match(variable.name(), of_other_tower)) return false;
    return seen_->insert({&variable.tensor().graph(), variable.name()}).second;
  }

 private:
  std::shared_ptr<std::set<std::pair<const Graph*, std::string>>> seen_ =
      std::make_shared<std::set<std::pair<const Graph*, std::string>>>();
};

}  // namespace

SummaryGradient::SummaryGradient(std::string regex, std::vector<std::string> collections)
    : MapGradient(
          [is_new = Once(), collections = std::move(collections)](const Tensor& gradient,
                                                                  const Variable& variable) {
            if (!is_new(variable)) return gradient;
            const NameScope root("");
            histogram_summary(variable.name() + "-grad", gradient, {.collections = collections});
            add_moving_summary({rms(gradient, variable.name() + "/rms")});
            return gradient;
          },
          std::move(regex)) {}

PrintGradient::PrintGradient(std::string regex)
    : MapGradient(
          [is_new = Once()](const Tensor& gradient, const Variable& variable) {
            return is_new(variable) ? print_stat(gradient, variable.name() + "-grad") : gradient;
          },
          std::move(regex)) {}

}  // namespace belfry
