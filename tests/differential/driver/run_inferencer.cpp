#include <fmt/format.h>

#include "tests/differential/driver/job.h"

namespace belfry::differential {
namespace {

std::unique_ptr<Inferencer> inferencer_of(const std::string& name) {
  if (name == "ScalarStats") return std::make_unique<ScalarStats>("a");
  if (name == "ClassificationError") return std::make_unique<ClassificationError>("a", "error");
  return std::make_unique<BinaryClassificationStats>("a", "b");
}

}  // namespace

void run_inferencer(const Job& job) {
  job.attempt("run", [&] {
    auto inferencer = inferencer_of(job.spec["inferencer"]);
    const auto sizes = integers_of(job.spec["sizes"]);
    // The second round must not remember the first.
    for (int round = 0; round < 2; ++round) {
      inferencer->before_inference();
      for (size_t i = 0; i < sizes.size(); ++i) {
        std::vector<at::Tensor> fetched{job.input(fmt::format("a{}", i))};
        if (job.spec["inferencer"] == "BinaryClassificationStats")
          fetched.push_back(job.input(fmt::format("b{}", i)));
        inferencer->on_fetches(fetched, sizes[i]);
      }
      job.status["results"] = inferencer->after_inference();
    }
  });
}

}  // namespace belfry::differential
