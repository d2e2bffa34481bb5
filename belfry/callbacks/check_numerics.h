#pragma once

#include <string>
#include <vector>

#include "belfry/loop/callback.h"
#include "belfry/runtime/session.h"

namespace belfry {

struct CheckNumericsOptions {
  /// When to look: when triggered, after each step.
  bool run_as_trigger = true;
  bool run_step = false;
};

/// Ends training with a DataError that names them when trainable variables hold NaN or infinities.
class CheckNumerics : public Triggerable {
 public:
  explicit CheckNumerics(CheckNumericsOptions options = {}) : options_(options) {}

  std::string name() const override { return "CheckNumerics"; }
  void before_train() override { check(); }
  void trigger_step() override;
  void trigger() override;

 private:
  void check() const;

  CheckNumericsOptions options_;
};

}  // namespace belfry
