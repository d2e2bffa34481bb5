#include "belfry/inference/internal/run_program.h"

namespace belfry::internal {
namespace {

/// Where the rows that a program uses begin.
void* start(const at::Tensor& tensor, const TensorView& own, int64_t first) {
  auto* data = static_cast<char*>(tensor.data_ptr());
  if (first == 0 || own.dim() == 0 || tensor.size(0) == own.size(0)) return data;
  return data + static_cast<int64_t>(tensor.nbytes()) / tensor.size(0) * first;
}

void set_memory(Program& program, const std::vector<at::Tensor>& feeds,
                const std::vector<at::Tensor>& results, int64_t first) {
  for (size_t i = 0; i < feeds.size(); ++i) program.set_feed(i, start(feeds[i], program.feeds()[i], first));
  for (size_t i = 0; i < results.size(); ++i)
    program.set_result(i, start(results[i], program.results()[i], first));
}

}  // namespace

bool run(Program& program, const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results,
         int64_t first) {
  set_memory(program, feeds, results, first);
  return program.run();
}

std::vector<ProfiledStep> profile(Program& program, const std::vector<at::Tensor>& feeds,
                                  const std::vector<at::Tensor>& results) {
  set_memory(program, feeds, results, 0);
  std::vector<ProfiledStep> steps;
  profile(program, steps);
  return steps;
}

bool profile(Program& program, std::vector<ProfiledStep>& steps) {
  std::vector<double> seconds;
  const bool done = program.profile(seconds);
  for (size_t i = 0; i < seconds.size(); ++i) {
    const ProgramStep& step = program.steps()[i];
    steps.push_back({step.name, step.instruction->describe(), seconds[i]});
  }
  return done;
}

std::vector<at::Tensor> dense(const std::vector<at::Tensor>& feeds) {
  std::vector<at::Tensor> result;
  result.reserve(feeds.size());
  for (const at::Tensor& feed : feeds) result.push_back(feed.to(c10::kCPU).contiguous());
  return result;
}

}  // namespace belfry::internal
