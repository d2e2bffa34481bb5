// Serves the net of digits.cpp over HTTP, in the REST form of the Open Inference Protocol (KServe v2):
//
//   kserve_server --checkpoint train_log/digits/min-val-error      what `digits` has trained
//   curl localhost:8000/v2/models/digits
//   curl localhost:8000/v2/models/digits/infer -d '{"inputs": [{"name": "image", "datatype": "FP32",
//        "shape": [1, 8, 8, 1], "data": [...64 numbers in [0, 1]...]}]}'
//
// Requests that wait at the same time share a call of the net. Tensors go as JSON or in binary form. /metrics
// is for Prometheus. SIGTERM or Ctrl-C answers what has begun and ends.

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>

#include "belfry/belfry.h"
#include "server/http_server.h"

using namespace belfry;

namespace {

/// The net of digits.cpp, as far as inference needs it: names of layers are names in the checkpoint.
Tensor digits(const TowerInputs& in) {
  ArgScope defaults(Conv2DOptions{.filters = 32, .kernel = 3, .activation = relu},
                    MaxPoolingOptions{.pool = 2});
  const Tensor logits = (in["image"] * 2 - 1) | Conv2D("conv0") | MaxPooling("pool0") | Conv2D("conv1") |
                        Conv2D("conv2") | MaxPooling("pool1") | Conv2D("conv3") |
                        FullyConnected("fc0", {.units = 512, .activation = relu}) |
                        FullyConnected("fc1", {.units = 10});
  return softmax(logits, -1, "prob");
}

OfflinePredictor load(const std::string& checkpoint) {
  PredictConfig config{.model = TowerFunc(digits, {{"image", {kDynamic, 8, 8, 1}, kFloat32}}),
                       .outputs = {"prob"}};
  if (checkpoint.empty()) {
    log_warning("no --checkpoint: the answers are those of an untrained net");
  } else {
    config.session_init = SmartInit(checkpoint);
  }
  return OfflinePredictor(config);
}

/// Both signals, kept from all threads that start from here on: main() waits for them.
sigset_t block_stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

}  // namespace

int main(int argc, char** argv) try {
  std::string checkpoint;
  kserve::HttpOptions http{.port = 8000};
  BatchingOptions batching;
  int64_t delay_us = batching.max_delay.count();
  int threads = 1;
  CLI::App app("Serves a net that reads digits in the KServe v2 protocol.");
  app.add_option("--checkpoint", checkpoint, "what digits has saved; default: an untrained net");
  app.add_option("--address", http.address)->capture_default_str();
  app.add_option("--port", http.port, "0: any free one")->capture_default_str();
  app.add_option("--max-body", http.max_body, "bytes of a request")->capture_default_str();
  app.add_option("--connections", http.connections)->capture_default_str();
  app.add_option("--connections-per-address", http.connections_per_address, "0: all")->capture_default_str();
  app.add_option("--max-batch", batching.max_batch)->capture_default_str();
  app.add_option("--max-delay", delay_us, "microseconds that a sample may wait for others")
      ->capture_default_str();
  app.add_option("--max-queue", batching.max_queue, "samples that may wait")->capture_default_str();
  app.add_option("--workers", batching.workers, "calls of the net at the same time")->capture_default_str();
  app.add_option("--threads", threads, "threads of each call")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  const sigset_t stop_signals = block_stop_signals();
  at::set_num_threads(threads);
  const auto predictor = std::make_shared<OfflinePredictor>(load(checkpoint));
  const kserve::ModelInfo model{"digits", "1", "belfry", predictor->inputs(), predictor->outputs()};
  batching.max_delay = std::chrono::microseconds(delay_us);
  batching.inputs = model.inputs;
  BatchingPredictor batching_predictor(predictor, batching);
  kserve::InferenceService service(model, batching_predictor);
  kserve::HttpServer server(service, http);
  log_info("serving http://{}:{}/v2/models/{}", http.address, server.port(), model.name);

  int signal = 0;
  sigwait(&stop_signals, &signal);
  log_info("stopping after {} requests", batching_predictor.stats().accepted);
  service.set_ready(false);
  server.stop();
  return 0;
} catch (const std::exception& e) {
  fmt::print(stderr, "{}\n", e.what());
  return 1;
}
