// Time of a step of training of the nets of benchmarks/peers/training_nets.py in Belfry. benchmarks/training
// runs it and its peers in turn.
//
// usage: train_step NET BATCH THREADS float32|bfloat16 LOSSES [plain|adapt|profile]
//
// Prints "work" and the number of operations of the convolutions and products of a step, then "losses" and
// the losses of the first LOSSES steps, without dropout, then "ready"; then for each line of standard input,
// a number of seconds, the median time in ms of the steps that begin in that time, at least one, and the most
// memory so far in MB. "unsupported: REASON" where there is no such dtype.
// In several processes (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT in the environment) a line is a number of
// steps, so that all take the same, and the answer ends with the kB that were reduced in a step and the ms of
// it in which nothing else was done. plain: not compiled, with ATen's autograd. adapt: on fewer threads
// beside other programs. profile: what the instructions of a step take, and nothing else.

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "belfry/distributed/process_group.h"
#include "nets/training.h"

using namespace belfry;
using benchmarks::Training;

namespace {

/// False where steps of this dtype are not there.
template <typename Options>
bool set_dtype(Options& options, DType dtype) {
  if constexpr (requires { options.compute = dtype; }) {
    options.compute = dtype;
    return true;
  } else {
    return dtype == kFloat32;
  }
}

/// Of the steps that begin in `amount` seconds, or of so many steps.
double median_time(Training& training, double amount) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> times;
  auto start = Clock::now();
  const auto end = start + std::chrono::duration<double>(amount);
  const auto goes_on = [&] {
    return world_size() > 1 ? static_cast<double>(times.size()) < amount : start < end;
  };
  do {
    training.step();
    const auto now = Clock::now();
    times.push_back(std::chrono::duration<double, std::milli>(now - start).count());
    start = now;
  } while (goes_on());
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

void print_losses(Training& training, int64_t steps) {
  fmt::print("losses");
  for (int64_t i = 0; i < steps; ++i)
    for (const double loss : training.step()) fmt::print(" {:.8g}", loss);
  fmt::print("\n");
}

void print_profile(Training& training) {
  for (int i = 0; i < 3; ++i) training.step();
  for (const ProfiledStep& part : training.profile())
    fmt::print("{:8.3f} ms  {:50} {}\n", part.seconds * 1e3, part.node, part.kernel);
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string mode = argc == 7 ? argv[6] : "";
  const bool is_known = mode.empty() || mode == "plain" || mode == "adapt" || mode == "profile";
  if ((argc != 6 && argc != 7) || !is_known) {
    fmt::print(stderr, "usage: {} NET BATCH THREADS float32|bfloat16 LOSSES [plain|adapt|profile]\n",
               argv[0]);
    return 2;
  }
  at::set_num_threads(std::stoi(argv[3]));
  benchmarks::TrainingOptions options{.net = argv[1], .batch = std::stol(argv[2])};
  options.step.compile = mode != "plain";
  options.step.adapt_threads = mode == "adapt";
  if (!set_dtype(options.step, argv[4] == std::string("bfloat16") ? kBFloat16 : kFloat32)) {
    fmt::print("unsupported: Belfry's steps compute in float32 only\n");
    return 0;
  }
  if (std::string start; mode != "profile") std::getline(std::cin, start);
  auto training = std::make_unique<Training>(options);
  if (mode == "profile") {
    print_profile(*training);
    return 0;
  }
  fmt::print("work {}\n", training->work());
  if (const int64_t steps = std::stol(argv[5]); steps > 0) {
    if (training->has_dropout()) {
      options.dropout = false;
      Training without(options);
      print_losses(without, steps);
    } else {
      print_losses(*training, steps);
    }
  }
  for (int i = 0; i < 2; ++i) training->step();  // the first plans, and finds its memory
  fmt::print("ready\n");
  std::fflush(stdout);
  for (double amount; std::cin >> amount;) {
    const GroupTraffic before = process_group().traffic();
    const double time = median_time(*training, amount);
    fmt::print("{:.4f} {:.0f}", time, peak_megabytes());
    if (world_size() > 1) {
      const GroupTraffic after = process_group().traffic();
      fmt::print(" {:.0f} {:.3f}", static_cast<double>(after.bytes - before.bytes) / amount / 1e3,
                 (after.seconds_waited - before.seconds_waited) / amount * 1e3);
    }
    fmt::print("\n");
    std::fflush(stdout);
  }
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
