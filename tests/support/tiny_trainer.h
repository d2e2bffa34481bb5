#pragma once

#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "belfry/base/log.h"
#include "belfry/graph/graph.h"
#include "belfry/graph/node.h"
#include "belfry/graph/tower.h"
#include "belfry/input/input_source.h"
#include "belfry/loop/trainer.h"

namespace belfry::test {

/// A trainer whose step feeds the next of some values to the placeholder "cost".
class TinyTrainer : public Trainer {
 public:
  explicit TinyTrainer(std::vector<double> costs = {0}) : costs_(std::move(costs)) {
    GraphScope as_default(graph());
    cost_ = build_or_reuse_placeholder({"cost", {}, kFloat32});
  }

  Tensor cost() const { return cost_; }

  /// As `add_moving_summary({cost})`: what a model would do.
  void build(const std::function<void()>& nodes) {
    GraphScope as_default(graph());
    nodes();
  }

  /// Gives the trainer a tower function and builds its training tower.
  void set_tower_func(TowerFunc::Function function, std::vector<TensorSpec> signature) {
    GraphScope as_default(graph());
    tower_func_.emplace(std::move(function), std::move(signature));
    std::vector<Tensor> inputs;
    for (const TensorSpec& spec : tower_func_->signature())
      inputs.push_back(build_or_reuse_placeholder(spec));
    TowerContext tower("", {.is_training = true});
    tower_func_->build(tower, inputs);
  }
  TowerFunc* tower_func() override { return tower_func_ ? &*tower_func_ : nullptr; }

  void run_step() override {
    const double cost = costs_[static_cast<size_t>(global_step()) % costs_.size()];
    run_hooked({cost_}, {at::scalar_tensor(cost)});
  }
  std::vector<Tensor> feed_tensors() const override { return {cost_}; }

 private:
  std::vector<double> costs_;
  Tensor cost_;
  std::optional<TowerFunc> tower_func_;
};

/// A callback that does one thing in trigger_epoch.
class AtEpochEnd : public Callback {
 public:
  explicit AtEpochEnd(std::function<void(Trainer&)> action) : action_(std::move(action)) {}
  std::string name() const override { return "AtEpochEnd"; }
  void trigger() override { action_(trainer()); }

 private:
  std::function<void(Trainer&)> action_;
};

/// A monitor that writes down all it gets, as "tag=value@step", into a list that outlives it.
class RecordingMonitor : public Monitor {
 public:
  explicit RecordingMonitor(std::vector<std::string>& lines) : lines_(&lines) {}
  std::string name() const override { return "RecordingMonitor"; }
  void put_scalar(const std::string& tag, double value, int64_t step) override {
    lines_->push_back(fmt::format("{}={:.6g}@{}", tag, value, step));
  }
  void put_histogram(const std::string& tag, const at::Tensor& values, int64_t step) override {
    lines_->push_back(fmt::format("{}: {} numbers@{}", tag, values.numel(), step));
  }
  void put_image(const std::string& tag, const at::Tensor& images, int64_t step) override {
    lines_->push_back(fmt::format("{}: {} images@{}", tag, images.size(0), step));
    images_ = images;
  }
  const at::Tensor& images() const { return images_; }

 private:
  std::vector<std::string>* lines_;
  at::Tensor images_;
};

/// Takes the log's lines while it lives.
class LogLines {
 public:
  LogLines() {
    set_log_sink([lines = lines_](LogLevel, std::string_view line) { lines->emplace_back(line); });
  }
  ~LogLines() { set_log_sink(nullptr); }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;

  const std::vector<std::string>& lines() const { return *lines_; }
  std::string text() const {
    std::string text;
    for (const std::string& line : *lines_) text += line + "\n";
    return text;
  }

 private:
  std::shared_ptr<std::vector<std::string>> lines_ = std::make_shared<std::vector<std::string>>();
};

}  // namespace belfry::test
