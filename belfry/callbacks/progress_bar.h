#pragma once

#include <memory>
#include <string>
#include <vector>

#include "belfry/base/terminal_bar.h"
#include "belfry/loop/callback.h"

namespace belfry {

/// Shows on stderr how far the epoch is, the speed, the time left, and the values of some scalars: as a bar
/// that redraws itself on a terminal, as lines of the log elsewhere.
class ProgressBar : public Callback {
 public:
  /// `names`: scalar tensors of the main training tower, or of the graph; shown by the last part of the name.
  explicit ProgressBar(std::vector<std::string> names = {});

  std::string name() const override { return "ProgressBar"; }
  bool chief_only() const override { return true; }
  /// Throws UsageError when a name is not found, or is no scalar.
  void before_train() override;
  void before_epoch() override;
  std::vector<Tensor> before_run() override;
  void after_run(const std::vector<at::Tensor>& values) override;
  void trigger_step() override;
  void after_epoch() override;
  void after_train() override;

 private:
  std::vector<std::string> names_;
  std::vector<Tensor> fetches_;
  std::unique_ptr<TerminalBar> bar_;
};

}  // namespace belfry
