#pragma once

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "belfry/base/error.h"
#include "belfry/base/log.h"
#include "belfry/input/queue_input.h"
#include "belfry/predict/predictor.h"
#include "belfry/train/launch.h"
#include "tests/support/temp_dir.h"
#include "tests/train/toy_model.h"

namespace belfry::test {

/// Calls a function with the trainer at one hook.
struct AtHook : Callback {
  using Function = std::function<void(Trainer&)>;
  std::string name() const override { return "AtHook"; }
  void setup_graph() override {
    if (at_setup) at_setup(trainer());
  }
  void before_train() override {
    if (at_start) at_start(trainer());
  }
  void trigger_step() override {
    if (at_step) at_step(trainer());
  }
  void after_train() override {
    if (at_end) at_end(trainer());
  }
  Function at_setup, at_start, at_step, at_end;
};

class LaunchTest : public testing::Test {
 protected:
  LaunchTest() {
    set_log_sink([this](LogLevel, std::string_view line) { log += std::string(line) + "\n"; });
  }
  ~LaunchTest() override { set_log_sink({}); }

  /// Without default callbacks and monitors.
  TrainConfig config(int64_t epochs) {
    return {.model = model,
            .data = QueueInput(toy_data()),
            .max_epoch = epochs,
            .extra_callbacks = Callbacks(),
            .monitors = std::vector<std::shared_ptr<Monitor>>(),
            .log_dir = folder / "log"};
  }

  void train(int64_t epochs, AtHook hooks = {}) {
    TrainConfig wanted = config(epochs);
    wanted.callbacks = callbacks(std::move(hooks));
    launch_train_with_config(wanted, trainer);
  }

  std::string error_of(const TrainConfig& wanted) {
    SimpleTrainer other;
    try {
      launch_train_with_config(wanted, other);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  }

  float predict(Predictor& predictor, float x) { return predictor(at::full({1, 1}, x))[0].item<float>(); }

  TempDir folder;
  ToyModel model;
  SimpleTrainer trainer;
  std::string log;
};

}  // namespace belfry::test
