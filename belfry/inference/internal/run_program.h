#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "belfry/program/program.h"
#include "belfry/runtime/profiled_step.h"

namespace belfry::internal {

/// Reads `feeds` and writes `results`, where they lie: dense tensors of the program's types and sizes. Of
/// those that are longer in the first dimension it uses the rows from `first` on. Returns what Program::run
/// does.
bool run(Program& program, const std::vector<at::Tensor>& feeds, const std::vector<at::Tensor>& results,
         int64_t first = 0);
/// The same, looking at the clock after each instruction.
std::vector<ProfiledStep> profile(Program& program, const std::vector<at::Tensor>& feeds,
                                  const std::vector<at::Tensor>& results);

/// Program::profile, of which it appends a line for each instruction.
bool profile(Program& program, std::vector<ProfiledStep>& steps);

/// `feeds` on the CPU and dense, as programs read them: the same tensors where they are.
std::vector<at::Tensor> dense(const std::vector<at::Tensor>& feeds);

}  // namespace belfry::internal
