#pragma once

#include <string>
#include <vector>

#include "belfry/runtime/profiled_step.h"

namespace belfry {

/// One of the runs that a step takes, measured.
struct RunProfile {
  std::string name;                        ///< of what it runs first: "train_op"
  std::vector<ProfiledStep> instructions;  ///< in the order of the work; none where it is not compiled
  std::string why_none;                    ///< why it has no instructions
  std::string description;                 ///< what was made of it: CompiledStep::describe
  double seconds = 0;                      ///< of the whole run
};

}  // namespace belfry
