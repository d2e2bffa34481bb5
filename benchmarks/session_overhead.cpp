// What a session costs for each small operator: a chain of 1,000 additions of 4-element tensors through
// make_callable, and compiled, against the same 1,000 at::add calls made directly, in the same run. Prints
// medians of alternating rounds.

#include <ATen/core/grad_mode.h>
#include <ATen/ops/add.h>
#include <ATen/ops/ones.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/inference/compiled_callable.h"
#include "belfry/runtime/session.h"

namespace {

constexpr int kAdditions = 1000, kRounds = 300;

template <typename F>
double microseconds(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

}  // namespace

int main() {
  using namespace belfry;
  Graph graph;
  GraphScope as_default(graph);
  const Tensor x = graph
                       .add_special(NodeKind::kPlaceholder, "belfry::placeholder", {},
                                    {{"dtype", kFloat32}, {"shape", {4}}}, "x", {{kFloat32, {4}}})
                       .output();
  Tensor y = x;
  for (int i = 0; i < kAdditions; ++i) y = graph.add("aten::add.Tensor", {y, x}).output();
  Session session(graph);
  const Callable run = session.make_callable({x}, {y});
  const CompiledCallable compiled = compile(session, {x}, {y});
  const at::Tensor input = at::ones({4});

  std::vector<double> ours, ours_compiled, direct, direct_no_grad;
  auto additions = [&] {
    at::Tensor sum = input;
    for (int i = 0; i < kAdditions; ++i) sum = at::add(sum, input);
  };
  for (int round = 0; round < kRounds; ++round) {
    ours.push_back(microseconds([&] { run({input}); }));
    ours_compiled.push_back(microseconds([&] { compiled({input}); }));
    direct.push_back(microseconds(additions));
    at::NoGradGuard no_grad;
    direct_no_grad.push_back(microseconds(additions));
  }
  fmt::print(
      "{} additions: session {:.0f} us, compiled {:.0f} us, at::add {:.0f} us (under NoGradGuard {:.0f} us); "
      "ratios {:.2f}, {:.2f}\n",
      kAdditions, median(ours), median(ours_compiled), median(direct), median(direct_no_grad),
      median(ours) / median(direct), median(ours_compiled) / median(direct));
}
