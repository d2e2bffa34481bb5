#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "belfry/loop/callback.h"

namespace belfry {

/// Calls a function with the values of some tensors in each step: to print them, or to write them down.
///
///     ProcessTensors({"cost", "logits"}, [](const std::vector<at::Tensor>& values) { ... })
class ProcessTensors : public Callback {
 public:
  using Function = std::function<void(const std::vector<at::Tensor>& values)>;

  /// `names`: as get_tensors_maybe_in_tower takes them. Throws UsageError where the function is none.
  ProcessTensors(std::vector<std::string> names, Function function);

  std::string name() const override { return "ProcessTensors"; }
  /// Throws UsageError when a name is not found.
  void setup_graph() override;
  std::vector<Tensor> before_run() override { return fetches_; }
  void after_run(const std::vector<at::Tensor>& values) override;

 protected:
  explicit ProcessTensors(std::vector<std::string> names) : names_(std::move(names)) {}
  virtual void process(const std::vector<at::Tensor>& values) { function_(values); }
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  Function function_;
  std::vector<Tensor> fetches_;
};

/// Writes some tensors of each step to "DumpTensor-<global_step>.npz" in the trainer's log_dir, each under
/// its name.
class DumpTensors : public ProcessTensors {
 public:
  explicit DumpTensors(std::vector<std::string> names) : ProcessTensors(std::move(names)) {}
  std::string name() const override { return "DumpTensors"; }
  /// Throws UsageError where there is no log_dir.
  void setup_graph() override;

 protected:
  void process(const std::vector<at::Tensor>& values) override;
};

/// Logs some tensors of each step: the first `summarize` elements of each; -1: all.
class TensorPrinter : public ProcessTensors {
 public:
  explicit TensorPrinter(std::vector<std::string> names, int64_t summarize = 6)
      : ProcessTensors(std::move(names)), summarize_(summarize) {}
  std::string name() const override { return "TensorPrinter"; }

 protected:
  void process(const std::vector<at::Tensor>& values) override;

 private:
  int64_t summarize_;
};

}  // namespace belfry
