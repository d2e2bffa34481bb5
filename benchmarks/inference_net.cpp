// Latency of the nets of benchmarks/peers/nets.py in Belfry, with the same weights. benchmarks/inference runs
// it and its peers in turn.
//
// usage: inference_net NET BATCH THREADS DTYPE FOLDER
//
// FOLDER holds NET.npz, the weights, and NET-BATCH.npz, an input and the output expected of it
// (benchmarks/peers/export_nets.py). Prints the largest difference of the outputs from the expected ones and
// the largest expected value; then for each line of standard input, a number of seconds, the median latency
// in ms over that time.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "belfry/belfry.h"
#include "belfry/inference/compiled_callable.h"
#include "nets/nets.h"

using namespace belfry;

namespace {

OfflinePredictor make_predictor(const std::string& net, const std::string& weights, Shape shape) {
  shape[0] = kDynamic;
  auto build = [&](const TowerInputs& in) {
    return identity(benchmarks::nets().at(net)(in["input"]), "output");
  };
  return OfflinePredictor({.model = TowerFunc(build, {{"input", shape, kFloat32}}),
                           .session_init = SmartInit(weights),
                           .inputs = {"input"},
                           .outputs = {"output"}});
}

double median_latency(const CompiledCallable& predict, const at::Tensor& input, double seconds) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (auto start = Clock::now(); start < end;) {
    predict({input});
    const auto now = Clock::now();
    times.push_back(std::chrono::duration<double, std::milli>(now - start).count());
    start = now;
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 || benchmarks::nets().count(argv[1]) == 0) {
    fmt::print(stderr, "usage: {} NET BATCH THREADS float32|bfloat16 FOLDER\n", argv[0]);
    return 2;
  }
  const std::string net = argv[1], batch = argv[2], dtype = argv[4], folder = argv[5];
  at::set_num_threads(std::stoi(argv[3]));
  const auto example = load_checkpoint(fmt::format("{}/{}-{}.npz", folder, net, batch));
  const at::Tensor input = example.at("input"), expected = example.at("expected");
  const OfflinePredictor predictor =
      make_predictor(net, fmt::format("{}/{}.npz", folder, net), input.sizes().vec());
  const CompiledCallable predict =
      compile(predictor.session(), {predictor.graph().tensor("input")}, {predictor.graph().tensor("output")},
              {.compute = dtype == "bfloat16" ? kBFloat16 : kFloat32});

  for (int i = 0; i < 2; ++i) predict({input});  // the first calls plan, and find their memory
  const at::Tensor difference = (predict({input})[0] - expected).abs().max();
  fmt::print("{} {}\n", difference.item<float>(), expected.abs().max().item<float>());
  std::fflush(stdout);
  for (double seconds; std::cin >> seconds;) {
    fmt::print("{:.4f}\n", median_latency(predict, input, seconds));
    std::fflush(stdout);
  }
}
