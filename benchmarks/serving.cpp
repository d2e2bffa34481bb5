// Throughput and latency of the MNIST convnet for 1 to 32 clients, each with one image at a time: clients
// that call the predictor themselves, against BatchingPredictor without a delay, with two workers, and with a
// delay. Each cell is the median over rounds in turn (A B C D A B C D ...) of samples per second, p50 and p99
// in ms.
//
// usage: serving [SECONDS_PER_CELL [ROUNDS [THREADS_PER_CALL]]]     default: 1 3 1

#include <ATen/Parallel.h>
#include <ATen/ops/rand.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "belfry/belfry.h"

using namespace belfry;
using Clock = std::chrono::steady_clock;

namespace {

Tensor mnist_convnet(const TowerInputs& in) {
  ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu},
                    MaxPoolingOptions{.pool = 2});
  const Tensor logits = (in["image"] * 2 - 1) | Conv2D("conv0") | MaxPooling("pool0") | Conv2D("conv1") |
                        Conv2D("conv2") | MaxPooling("pool1") | Conv2D("conv3") |
                        FullyConnected("fc0", {.units = 512, .activation = relu}) |
                        FullyConnected("fc1", {.units = 10});
  return softmax(logits, -1, "prob");
}

struct Cell {
  double per_second = 0, p50_ms = 0, p99_ms = 0, mean_batch = 1, cpu_ms = 0;
};

double processor_ms() {
  return 1e3 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

double quantile(std::vector<double>& values, double q) {
  const auto at = values.begin() + static_cast<int64_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Each client repeats `call` for `seconds`, after as many calls as it takes to make programs and threads.
Cell measure(int clients, double seconds, const std::function<void()>& call) {
  std::vector<std::vector<double>> latencies(static_cast<size_t>(clients));
  std::atomic<int> warm = 0;
  std::atomic<bool> started = false, ended = false;
  std::vector<std::jthread> threads;
  for (auto& mine : latencies) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) call();
      ++warm;
      while (!ended) {
        const auto begin = Clock::now();
        call();
        if (started) mine.push_back(std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
      }
    });
  }
  while (warm < clients) std::this_thread::yield();
  const auto begin = Clock::now();
  const double cpu_begin = processor_ms();
  started = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  ended = true;
  threads.clear();
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<double> all;
  for (const auto& mine : latencies) all.insert(all.end(), mine.begin(), mine.end());
  return {.per_second = static_cast<double>(all.size()) / elapsed,
          .p50_ms = quantile(all, 0.5),
          .p99_ms = quantile(all, 0.99),
          .cpu_ms = (processor_ms() - cpu_begin) / static_cast<double>(all.size())};
}

struct Way {
  std::string name;
  std::function<Cell(int clients, double seconds)> run;
};

Way batching(std::string name, std::shared_ptr<const Predictor> predictor, const at::Tensor& image,
             BatchingOptions options) {
  return {std::move(name), [=](int clients, double seconds) {
            BatchingPredictor batching(predictor, options);
            Cell cell = measure(clients, seconds, [&] { batching({image}); });
            cell.mean_batch = batching.stats().mean_batch();
            return cell;
          }};
}

double median(const std::vector<Cell>& cells, double Cell::*field) {
  std::vector<double> values;
  for (const Cell& cell : cells) values.push_back(cell.*field);
  return quantile(values, 0.5);
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::stod(argv[1]) : 1;
  const int rounds = argc > 2 ? std::stoi(argv[2]) : 3;
  at::set_num_threads(argc > 3 ? std::stoi(argv[3]) : 1);
  using namespace std::chrono_literals;
  const auto predictor = std::make_shared<OfflinePredictor>(PredictConfig{
      .model = TowerFunc(mnist_convnet, {{"image", {kDynamic, 28, 28, 1}, kFloat32}}), .outputs = {"prob"}});
  const at::Tensor image = at::rand({28, 28, 1}), row = image.unsqueeze(0);

  const std::vector<Way> ways = {
      {"one by one", [&](int clients, double s) { return measure(clients, s, [&] { (*predictor)(row); }); }},
      batching("batching", predictor, image, {.max_batch = 32}),
      batching("2 workers", predictor, image, {.max_batch = 32, .workers = 2}),
      batching("delay 1 ms", predictor, image, {.max_batch = 32, .max_delay = 1ms})};

  fmt::print("{} cores, {} threads for each call, {} rounds of {} s\n", std::thread::hardware_concurrency(),
             at::get_num_threads(), rounds, seconds);
  fmt::print("{:>7}  {:<10} {:>9} {:>8} {:>8} {:>6}\n", "clients", "", "samples/s", "p50 ms", "p99 ms",
             "batch");
  for (int clients : {1, 2, 4, 8, 16, 32}) {
    std::vector<std::vector<Cell>> cells(ways.size());
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < ways.size(); ++i) cells[i].push_back(ways[i].run(clients, seconds));
    }
    for (size_t i = 0; i < ways.size(); ++i) {
      fmt::print("{:>7}  {:<10} {:>9.0f} {:>8.2f} {:>8.2f} {:>6.1f} {:>7.3f}\n", clients, ways[i].name,
                 median(cells[i], &Cell::per_second), median(cells[i], &Cell::p50_ms),
                 median(cells[i], &Cell::p99_ms), median(cells[i], &Cell::mean_batch),
                 median(cells[i], &Cell::cpu_ms));
    }
  }
}
