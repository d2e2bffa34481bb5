#pragma once

#include <string>
#include <utility>
#include <vector>

#include "belfry/base/shared.h"
#include "belfry/loop/callback.h"

namespace belfry {

/// Base of the callbacks that change when another one runs: passes every hook on.
class ProxyCallback : public Callback {
 public:
  std::string name() const override { return "Proxy-" + inner_->name(); }
  bool chief_only() const override { return inner_->runs_on_chief_only(); }

  void attach(Trainer& trainer) override;
  void setup_graph() override;
  void before_train() override { inner_->before_train(); }
  void before_epoch() override { inner_->before_epoch(); }
  std::vector<Tensor> before_run() override { return inner_->before_run(); }
  std::vector<std::pair<Tensor, at::Tensor>> feeds_of_run() override { return inner_->feeds_of_run(); }
  void after_run(const std::vector<at::Tensor>& values) override { inner_->after_run(values); }
  void trigger_step() override { inner_->trigger_step(); }
  void after_epoch() override { inner_->after_epoch(); }
  void trigger_epoch() override { inner_->trigger_epoch(); }
  void trigger() override { inner_->trigger(); }
  void after_train() override { inner_->after_train(); }

 protected:
  /// Throws UsageError when `inner` is null.
  explicit ProxyCallback(Shared<Callback> inner);

  Callback& inner() const { return *inner_; }

 private:
  Shared<Callback> inner_;
};

}  // namespace belfry
