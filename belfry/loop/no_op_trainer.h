#pragma once

#include "belfry/loop/trainer.h"

namespace belfry {

/// A trainer whose steps run what callbacks ask for, and nothing else: to run callbacks alone, an evaluation
/// for instance.
class NoOpTrainer : public Trainer {
 protected:
  void run_step() override { run_hooked({}); }
};

}  // namespace belfry
